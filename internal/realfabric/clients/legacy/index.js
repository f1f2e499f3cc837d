'use strict';

// This program does what an application can do with fabric-network 2.2, on the network that its second argument describes. Its
// first one is "discovery", or "static": then it knows what the network has by a connection profile.

const silent = () => {};
global.hfc = { logger: { debug: silent, info: silent, warn: silent, error: silent } };

const { Network } = require('./network');

async function main() {
    const network = new Network(process.argv[3], process.argv[2] === 'discovery');
    for (const part of ['transactions', 'failures', 'listeners', 'privacy']) {
        await require(`./${part}`)(network);
    }
    network.close();
}

// Connections that failed half-way stay open: the process is ended all the same.
main().then(() => process.exit(0), (e) => {
    console.error(e);
    process.exit(1);
});
