'use strict';

// This program does what an application can do with @hyperledger/fabric-gateway, on the network that its argument describes.

const { Network } = require('./network');

async function main() {
    const network = new Network(process.argv[2]);
    for (const part of ['transactions', 'offline', 'failures', 'identities', 'events', 'blocks', 'privacy', 'agreement']) {
        await require(`./${part}`)(network);
    }
    network.close();
}

main().catch((e) => {
    console.error(e);
    process.exitCode = 1;
});
