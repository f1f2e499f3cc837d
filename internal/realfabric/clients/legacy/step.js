'use strict';

// What a step prints: one line of JSON with its name, and its result or its error.

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

// failure is an error. What peers said is in the order of their names.
function failure(e) {
    const [first, ...peers] = e.message.split('\n    ');
    return {
        type: e.name, code: e.transactionCode, message: [first, ...peers.sort()].join('\n'),
        responses: e.responses?.map((r) => r.response.status).sort(), errors: e.errors?.map((x) => x.message).sort(),
    };
}

module.exports = { step };
