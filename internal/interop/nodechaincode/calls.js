'use strict';

const {quote, quoteAll, time, lines} = require('./text');
const {queries, forAwait, byNext, breakOff, rest} = require('./queries');

// The calls, by name: the stub's methods, those of the client's identity, ways to misuse iterators, and what tests
// direct a chaincode with. A call gets the stub and its arguments, as texts and as bytes, and returns a text, bytes or
// nothing. Where the number of arguments may be larger than args, more is true.
//
// The Go shim has methods that Node's has not: GetArgsSlice, GetDecorations, GetAllStatesCompositeKeyWithPagination,
// GetMultipleStates, GetMultiplePrivateData, StartWriteBatch and FinishWriteBatch.

const input = {
    GetArgs: {more: true, call: (s) => quoteAll(s.getBufferArgs())},
    GetStringArgs: {more: true, call: (s) => quoteAll(s.getStringArgs())},
    GetFunction: {
        more: true, call(s) {
            const {fcn, params} = s.getFunctionAndParameters();
            return `${fcn} ${quoteAll(params)}`;
        },
    },
    GetTxID: {call: (s) => s.getTxID()},
    GetChannelID: {call: (s) => s.getChannelID()},
    GetMSPID: {call: (s) => s.getMspID()},
    GetCreator: {
        call(s) {
            const creator = s.getCreator();
            return creator && `${creator.mspid} ${Buffer.from(creator.idBytes)}`;
        },
    },
    GetBinding: {call: (s) => s.getBinding()},
    GetTransient: {call: (s) => s.getTransient() && pairs(s.getTransient())},
    GetProposal: {call: (s) => s.getSignedProposal() && proposal(s.getSignedProposal())},
    GetTxTimestamp: {call: (s) => time(s.getTxTimestamp())},
    GetDateTimestamp: {call: (s) => s.getDateTimestamp().toISOString()},
};

/** Says what is in a map, a line each. */
function pairs(map) {
    return lines([...map].sort().map(([name, value]) => Buffer.concat([Buffer.from(`${name}=`), value])));
}

/** Says what a proposal was signed for. Until 2.3 the shim's messages have properties, and later on methods. */
function proposal({signature, proposal: {header}}) {
    const get = (message, name) => message[name] || message[`get${name[0].toUpperCase()}${name.slice(1)}`]();
    const {channelHeader, signatureHeader} = header;
    const nonce = Buffer.from(get(signatureHeader, 'nonce'));
    return `${get(channelHeader, 'channelId')} ${get(channelHeader, 'txId')} ${quote(nonce)} ` +
        `${get(signatureHeader.creator, 'mspid')} ${Buffer.from(signature).toString('hex')}`;
}

const state = {
    SetEvent: {args: 2, call: (s, [name], [, payload]) => s.setEvent(name, payload)},
    InvokeChaincode: {
        args: 2, more: true, async call(s, [name, channel, ...args]) {
            const r = await s.invokeChaincode(name, args, channel);
            return `${r.status} ${quote(r.message)} ${quote(r.payload)}`;
        },
    },
    GetState: {args: 1, call: (s, a) => s.getState(...a)},
    PutState: {args: 2, call: (s, [key], [, value]) => s.putState(key, value)},
    DelState: {args: 1, call: (s, a) => s.deleteState(...a)},
    CreateCompositeKey: {args: 1, more: true, call: (s, [type, ...a]) => s.createCompositeKey(type, a)},
    SplitCompositeKey: {
        args: 1, call(s, a) {
            const {objectType, attributes} = s.splitCompositeKey(...a);
            return `${objectType} ${quoteAll(attributes)}`;
        },
    },
    SetStateValidationParameter: {args: 2, call: (s, [key], [, policy]) => s.setStateValidationParameter(key, policy)},
    GetStateValidationParameter: {args: 1, call: (s, a) => s.getStateValidationParameter(...a)},
};

const privateData = {
    GetPrivateData: {args: 2, call: (s, a) => s.getPrivateData(...a)},
    GetPrivateDataHash: {args: 2, call: async (s, a) => Buffer.from(await s.getPrivateDataHash(...a)).toString('hex')},
    PutPrivateData: {args: 3, call: (s, [collection, key], [, , value]) => s.putPrivateData(collection, key, value)},
    DelPrivateData: {args: 2, call: (s, a) => s.deletePrivateData(...a)},
    PurgePrivateData: {args: 2, call: (s, a) => s.purgePrivateData(...a)},
    SetPrivateDataValidationParameter: {
        args: 3, call: (s, [collection, key], [, , policy]) => s.setPrivateDataValidationParameter(collection, key, policy),
    },
    GetPrivateDataValidationParameter: {args: 2, call: (s, a) => s.getPrivateDataValidationParameter(...a)},
};

/** What is done with iterators. A query that is named alone is read with "for await". */
const iteration = {
    ByNext: {args: 1, more: true, call: (s, a) => query(byNext, s, a)},
    BreakOff: {args: 1, more: true, call: (s, a) => query(breakOff, s, a)},
    LeaveOpen: {
        args: 2, async call(s, a) {
            const {value} = await (await s.getStateByRange(...a)).next();
            return value && value.key;
        },
    },
    ReadAfterClose: {
        args: 2, async call(s, a) {
            const iterator = await s.getStateByRange(...a);
            await iterator.close();
            const found = await rest(iterator);
            await iterator.close();
            return lines(found);
        },
    },
    ReadAfterEnd: {
        args: 2, async call(s, a) {
            const iterator = await s.getStateByRange(...a);
            await rest(iterator);
            const {done} = await iterator.next();
            return `done ${done}`;
        },
    },
};

for (const [name, q] of Object.entries(queries)) {
    iteration[name] = {args: q.args, more: q.more, call: async (s, a) => lines(await forAwait(q, s, a))};
}

/** Reads the query that the arguments name. */
async function query(read, stub, [name, ...args]) {
    const q = queries[name];
    if (!q || args.length < q.args) {
        throw new Error(`there is no query ${quoteAll([name, ...args])}`);
    }
    return lines(await read(q, stub, args));
}

/** What only this language makes easy: requests at once, which the shim puts in a row, and one that is not awaited. */
const concurrency = {
    AtOnce: {more: true, call: async (s, keys) => lines((await Promise.all(keys.map((k) => s.getState(k)))).map(quote))},
    Unawaited: {args: 2, call: (s, [key], [, value]) => { s.putState(key, value).catch(() => {}); }},
};

/** The process's own: SIGKILL, and nothing is said any more. */
function kill() {
    process.kill(process.pid, 'SIGKILL');
    return new Promise(() => {});
}

/** Returns the calls of a chaincode on a shim. */
exports.calls = function (shim) {
    const identity = (s) => new shim.ClientIdentity(s);
    const signals = new Map();
    const signal = (name) => {
        if (!signals.has(name)) {
            const s = {};
            s.sent = new Promise((resolve) => { s.send = resolve; });
            signals.set(name, s);
        }
        return signals.get(name);
    };
    return {
        ...input, ...state, ...privateData, ...iteration, ...concurrency,
        GetID: {call: (s) => identity(s).getID()},
        GetClientMSPID: {call: (s) => identity(s).getMSPID()},
        GetAttribute: {args: 1, call: (s, a) => identity(s).getAttributeValue(...a)},
        AssertAttribute: {args: 2, call: (s, a) => String(identity(s).assertAttributeValue(...a))},
        Wait: {args: 1, call: (s, [name]) => signal(name).sent},
        Signal: {args: 1, call: (s, [name]) => signal(name).send()},
        Kill: {call: kill},
        Throw: {args: 1, call(s, [text]) { throw new Error(text); }},
    };
};
