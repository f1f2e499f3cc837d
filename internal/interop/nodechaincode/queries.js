'use strict';

const {quote, time} = require('./text');

// The queries, by name, each with the number of its arguments. Both ways that the shim has of reading what a query
// finds are here.

const state = ({key, value}) => Buffer.concat([Buffer.from(`${key}=`), value]);

const change = ({txId, timestamp, isDelete, value}) =>
    Buffer.concat([Buffer.from(`${txId} ${time({...timestamp, nanos: 0})} `), isDelete ? Buffer.from('deleted') : value]);

exports.queries = {
    GetStateByRange: {args: 2, ask: (s, a) => s.getStateByRange(...a)},
    GetStateByRangeWithPagination: {
        args: 4, page: true, ask: (s, [start, end, size, bookmark]) =>
            s.getStateByRangeWithPagination(start, end, Number(size), bookmark),
    },
    GetStateByPartialCompositeKey: {args: 1, more: true, ask: (s, [type, ...a]) => s.getStateByPartialCompositeKey(type, a)},
    GetStateByPartialCompositeKeyWithPagination: {
        args: 3, more: true, page: true, ask: (s, [size, bookmark, type, ...a]) =>
            s.getStateByPartialCompositeKeyWithPagination(type, a, Number(size), bookmark),
    },
    GetQueryResult: {args: 1, ask: (s, a) => s.getQueryResult(...a)},
    GetQueryResultWithPagination: {
        args: 3, page: true, ask: (s, [query, size, bookmark]) => s.getQueryResultWithPagination(query, Number(size), bookmark),
    },
    GetPrivateDataByRange: {args: 3, ask: (s, a) => s.getPrivateDataByRange(...a)},
    GetPrivateDataByPartialCompositeKey: {
        args: 2, more: true, ask: (s, [collection, type, ...a]) => s.getPrivateDataByPartialCompositeKey(collection, type, a),
    },
    GetPrivateDataQueryResult: {args: 2, ask: (s, a) => s.getPrivateDataQueryResult(...a)},
    GetHistoryForKey: {args: 1, ask: (s, a) => s.getHistoryForKey(...a), line: change},
};

/** Reads a query's answer through "for await", which closes it at its end, a line each. */
exports.forAwait = async function ({ask, page, line = state}, stub, args) {
    const asked = ask(stub, args);
    const found = [];
    for await (const one of asked) {
        found.push(line(one));
    }
    return page ? withPage(found, await asked) : found;
};

/** Reads a query's answer through the iterator's methods. */
exports.byNext = async function ({ask, page, line = state}, stub, args) {
    const answer = await ask(stub, args);
    const iterator = iteratorOf(answer);
    const found = await exports.rest(iterator, line);
    await iterator.close();
    return page ? withPage(found, answer) : found;
};

/** Reads one record of a query, and leaves the loop, which closes the query. */
exports.breakOff = async function ({ask, line = state}, stub, args) {
    for await (const one of ask(stub, args)) {
        return [line(one)];
    }
    return [];
};

/** Some queries answer with an iterator, others with an object that has one. */
function iteratorOf(answer) {
    return answer.iterator || answer;
}

/** Reads what is left in an iterator. */
exports.rest = async function (iterator, line = state) {
    const found = [];
    for (let r = await iterator.next(); !r.done; r = await iterator.next()) {
        found.push(line(r.value));
    }
    return found;
};

/** Says at the end of a page how many records the peer says it has, and the bookmark. */
function withPage(found, {metadata}) {
    return [...found, `${metadata.fetchedRecordsCount} ${quote(metadata.bookmark)}`];
}
