// Package mango evaluates CouchDB's Mango queries over JSON documents: selectors, sort, fields, and bookmarks. It knows
// no storage: a ledger gives it documents, one by one, and asks which of them a query wants, in what order, and what of
// them.
//
// [Parse] and [NewDocument] are where to begin; then there is [Query.Match].
//
// # What a chaincode's query means
//
// A query comes from chaincode to Fabric's peer, which edits it and sends it to CouchDB (statecouchdb's
// applyAdditionalQueryOptions). Of its members,
//
//   - selector, sort, skip, bookmark and use_index are CouchDB's business, and honoured here;
//   - fields must be an array, and an empty one means no field at all, since the peer adds its own;
//   - limit has no effect, whatever it is: the peer puts its own in its place;
//   - partition, r, conflicts, stale, stable, update, execution_stats and allow_fallback are accepted and ignored;
//   - any other is an error, invalid_key, as CouchDB makes it.
//
// The peer decodes and encodes queries as well as documents with Go's encoding/json. So the order of an object's
// members has no meaning, of two members with the same name the last counts, and what follows a query's closing brace
// is ignored. As in CouchDB, the member _id of a document is its key.
//
// # Selectors
//
// The semantics are those of CouchDB's evaluator (mango_selector, mango_doc, mango_json), surprises included:
//
//   - A condition on a field that a document lacks is false, except {"$exists": false}. To keep it so under $not and
//     $nor, negations are moved down to the conditions: {"$not": {"a": 1}} is {"a": {"$ne": 1}}.
//   - Not so within $elemMatch, $allMatch and $keyMapMatch: there, $not turns around whatever is below it.
//   - A path that leads through something other than an object or an array doesn't even satisfy {"$exists": false}.
//   - An $and, $or or $nor of nothing is true. {} matches every document, but only where it is the whole selector:
//     elsewhere it stands for an empty object.
//   - $in and $nin look at an array's elements, never at the array as a whole.
//   - Numbers are compared by their exact values, so 1.0 equals 1. $all alone asks for the same kind of number, as
//     Erlang's lists:member does, and $mod, $size and skip for a number that is written without a fraction or exponent.
//   - A document that lacks a field of the sort is not matched: CouchDB sorts by reading an index, which hasn't got it.
//
// # Where it differs from CouchDB
//
//   - Strings are compared byte by byte. CouchDB follows ICU's root collation, in which "a" < "B" and "é" < "f", except
//     for _id. Equality differs only for strings that ICU takes for the same, such as composed and decomposed accents.
//   - $regex has the syntax of Go's package regexp, RE2, where CouchDB has PCRE: no look-around, no back-references. A
//     pattern that RE2 can't compile is a bad_arg. It matches characters; CouchDB's matches bytes.
//   - _id is ordered as any other value against values of other types; CouchDB puts strings after all of them there.
//   - $text and the geographical operators are not supported, as in a CouchDB without such indexes.
//   - A $mod by 0 is an error when the query is parsed, not when the first integer is met.
//   - $nor within $elemMatch, $allMatch and $keyMapMatch works; CouchDB doesn't get it there.
//   - Without fields, the value of a result is what is stored, to the byte. Fabric's peer encodes it anew.
//   - A document has no _rev. Queries and documents are nested [MaxDepth] levels deep at most, their numbers have at most
//     [MaxDigits] digits in a row, and the conditions of a selector are as many as [MaxSelector] allows.
//   - A number that doesn't fit into a float64 and is not an integer is infinite; CouchDB would not store it.
//
// # Errors
//
// What CouchDB would answer is an [*Error], with the error's name, status and sentence as in CouchDB's mango_error, in
// the frame that Fabric's peer puts around them. Where CouchDB prints a value as an Erlang term, there is JSON here.
package mango
