'use strict';

const {lines, quoteAll} = require('./text');

/** What "Return status message payload" throws: it ends the transaction with a response. */
exports.Return = class Return {
    constructor(status, message, payload) {
        Object.assign(this, {status: Number(status), message: String(message), payload});
    }
};

/**
 * Makes the calls that the words name, which ";" separates, one after the other. Returns a line for each call that
 * returned something. The first call that fails ends it, with what it threw.
 */
exports.run = async function (calls, stub, words) {
    const said = [];
    for (const sentence of sentences(words)) {
        said.push(await make(calls, stub, sentence));
    }
    return lines(said);
};

function make(calls, stub, [word, ...args]) {
    const name = String(word);
    if (name === 'Return' && args.length === 3) {
        throw new exports.Return(...args);
    }
    const {args: least = 0, more = false, call} = Object.hasOwn(calls, name) ? calls[name] : {};
    if (!call || args.length < least || (args.length > least && !more)) {
        throw new Error(`there is no call ${quoteAll([name, ...args])}`);
    }
    return call(stub, args.map(String), args);
}

function sentences(words) {
    const all = [[]];
    for (const word of words) {
        if (word.equals(Buffer.from(';'))) {
            all.push([]);
        } else {
            all[all.length - 1].push(word);
        }
    }
    return all.filter((s) => s.length > 0);
}
