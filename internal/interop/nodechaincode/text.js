'use strict';

// How what the shims return is written down: as the Go chaincode does, so that one test can read both.

/** Quotes a text, or bytes that are UTF-8, as Go's %q does. */
exports.quote = function (value) {
    const text = Array.from(String(value), (c) => escapes[c] || (/\p{C}/u.test(c) ? escape(c.codePointAt(0)) : c));
    return `"${text.join('')}"`;
};

const escapes = {
    '"': '\\"', '\\': '\\\\', '\x07': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v',
};

function escape(code) {
    if (code < 0x80) {
        return '\\x' + code.toString(16).padStart(2, '0');
    }
    return code < 0x10000 ? '\\u' + code.toString(16).padStart(4, '0') : '\\U' + code.toString(16).padStart(8, '0');
}

/** Quotes every text of an array, as Go's %q does. */
exports.quoteAll = (texts) => `[${texts.map(exports.quote).join(' ')}]`;

/** Writes a protobuf timestamp, whose seconds are a number or a Long, as RFC 3339 with what fraction it has. */
exports.time = function ({seconds, nanos}) {
    const fraction = String(nanos).padStart(9, '0').replace(/0+$/, '');
    return new Date(Number(seconds) * 1000).toISOString().slice(0, 19) + (fraction && `.${fraction}`) + 'Z';
};

/** Joins texts and bytes, a line each. Those that are empty or undefined are left out. */
exports.lines = function (values) {
    const all = values.map((v) => Buffer.from(v || '')).filter((b) => b.length > 0);
    return Buffer.concat(all.flatMap((b, i) => (i > 0 ? [Buffer.from('\n'), b] : [b])));
};
