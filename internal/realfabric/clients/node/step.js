'use strict';

// What a step prints: one line of JSON with its name, and its result or its error.

const { GatewayError } = require('@hyperledger/fabric-gateway');
const grpc = require('@grpc/grpc-js');

async function step(name, run) {
    let line;
    try {
        line = { step: name, result: readable(await run()) };
    } catch (e) {
        line = { step: name, error: failure(e) };
    }
    process.stdout.write(JSON.stringify(line) + '\n');
}

// readable makes text of bytes.
function readable(value) {
    return value instanceof Uint8Array ? Buffer.from(value).toString() : value;
}

function failure(e) {
    if (e instanceof GatewayError) {
        const details = e.details.map((d) => ({ address: d.address, mspId: d.mspId, message: d.message }));
        details.sort((a, b) => (a.mspId < b.mspId ? -1 : 1)); // they are in the order in which peers answered
        return { type: e.name, code: grpc.status[e.code], message: e.message, details };
    }
    return { type: e.name, code: e.code, message: e.message };
}

module.exports = { step };
