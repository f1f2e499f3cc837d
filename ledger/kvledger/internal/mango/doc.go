// Package mango evaluates CouchDB's Mango queries over JSON documents: selectors, sort, fields, bookmarks, and indexes. It
// knows no storage: a ledger gives it documents, one by one, and asks which of them a query wants, and what of them; it
// asks what the entries of an index are, and which of them to read for a query.
//
// [Parse] and [NewDocument] are where to begin; then there is [Query.Match]. With indexes, these are [ParseIndex] and
// [Index.Columns] when documents are written, and [Query.Plan] when they are looked for.
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
//   - An $and, $or or $nor of nothing is true, but finds nothing where it is the whole selector. {} matches every
//     document, but only where it is the whole selector: elsewhere it stands for an empty object.
//   - $in and $nin look at an array's elements, never at the array as a whole.
//   - Numbers are compared by their exact values, so 1.0 equals 1. $all alone asks for the same kind of number, as
//     Erlang's lists:member does, and $mod, $size and skip for a number that is written without a fraction or exponent.
//   - A document that lacks a field of the sort is not matched: CouchDB sorts by reading an index, which hasn't got it.
//
// # Indexes
//
// An index has an entry for each document that has all of its fields, and that its partial_filter_selector, if any,
// matches. An entry is the document's columns, which are bytes that are ordered as the values of the fields are, and then
// its key. A ledger keeps entries in the order of their bytes, and remembers where the key begins.
//
// Which index a query uses is CouchDB's choice: see [Query.Plan]. Results come in the order of that index, and without one
// in that of the keys. A sort that is no index's order is an error, [ErrNoSortIndex]. An index with a
// partial_filter_selector is for queries that name it by use_index, and they find only what is in it.
//
// A [Plan] says which index a query uses, what entries to read, and from which end. The selector still has to be matched:
//
//   - Bounds are of the first fields: of all that are equal to something, and of the one after them. They come from
//     $eq, $gt, $gte, $lt, $lte and $beginsWith, and from what is joined by $and, but not from within an $or.
//   - Columns are cut at [MaxColumns], and so are bounds, so that what has the columns of a bound is read. Nothing else
//     changes: cut columns are longer than others, and so never the beginning of them, or the other way round.
//   - Documents whose columns are MaxColumns long, and the same, stand together, but by key. To return them in order, those
//     that match must be sorted, as [Plan.Compare] has it. The order is known of all others.
//
// A page begins after the last one's end: [Plan.Resume] moves the bounds there. Within cut columns they can't say where
// that is, and [Plan.Follows] does. A bookmark has the true values, not the cut ones, and is for plans with the same index,
// read in the same direction. If another index is chosen from one page to the next, since one was defined meanwhile, it is
// an invalid_bookmark.
//
// Where it differs from CouchDB, the comment of package kvledger says.
//
// # Errors
//
// What CouchDB would answer is an [*Error], with the error's name, status and sentence as in CouchDB's mango_error, in
// the frame that Fabric's peer puts around them. Where CouchDB prints a value as an Erlang term, there is JSON here.
package mango
