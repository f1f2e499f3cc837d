'use strict';

const {Contract} = require('fabric-contract-api');

/**
 * Assets is the contract: clients call its methods by their names. All arguments are strings. What a method returns
 * becomes JSON, and what it throws fails the transaction.
 */
class Assets extends Contract {
    /** Create makes an asset that belongs to the caller's organization. */
    async Create(ctx, id, color, size) {
        if (await this.Exists(ctx, id)) {
            throw new Error(`asset "${id}" already exists`);
        }
        if (!/^[0-9]+$/.test(size)) {
            throw new Error(`size must be a whole number, not "${size}"`);
        }
        return put(ctx, 'AssetCreated', {id, color, size: Number(size), owner: ctx.clientIdentity.getMSPID()});
    }

    /** Read returns an asset. */
    async Read(ctx, id) {
        const value = await ctx.stub.getState(id);
        if (value.length === 0) {
            throw new Error(`asset "${id}" does not exist`);
        }
        return JSON.parse(value.toString());
    }

    /** Exists says whether there is an asset. */
    async Exists(ctx, id) {
        const value = await ctx.stub.getState(id);
        return value.length > 0;
    }

    /** Paint changes the color of an asset of the caller's organization. */
    async Paint(ctx, id, color) {
        const asset = await this.Read(ctx, id);
        requireOwner(ctx, asset);
        return put(ctx, 'AssetPainted', {...asset, color});
    }

    /** Delete deletes an asset of the caller's organization. */
    async Delete(ctx, id) {
        requireOwner(ctx, await this.Read(ctx, id));
        await ctx.stub.deleteState(id);
        ctx.stub.setEvent('AssetDeleted', Buffer.from(id));
    }

    /** List returns the assets with start <= ID < end; an empty end is the end of all. */
    async List(ctx, start, end) {
        const assets = [];
        for await (const {value} of ctx.stub.getStateByRange(start, end)) {
            assets.push(JSON.parse(value.toString()));
        }
        return assets;
    }

    /** History returns what an asset has been, newest first. */
    async History(ctx, id) {
        const versions = [];
        for await (const {txId, isDelete, value} of ctx.stub.getHistoryForKey(id)) {
            versions.push(isDelete ? {txId, deleted: true} : {txId, asset: JSON.parse(value.toString())});
        }
        return versions;
    }
}

function requireOwner(ctx, asset) {
    if (asset.owner !== ctx.clientIdentity.getMSPID()) {
        throw new Error(`asset "${asset.id}" belongs to ${asset.owner}`);
    }
}

/** put stores an asset, sets the event that tells of it, and returns it. */
async function put(ctx, event, asset) {
    const value = Buffer.from(JSON.stringify(asset));
    await ctx.stub.putState(asset.id, value);
    ctx.stub.setEvent(event, value);
    return asset;
}

module.exports = {contracts: [Assets]};
