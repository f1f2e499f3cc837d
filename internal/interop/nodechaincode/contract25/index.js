'use strict';

const {Context, Contract} = require('fabric-contract-api');
const shim = require('fabric-shim');

const {calls} = require('../calls');
const {Return, run} = require('../program');

/** Do is the chaincode of ../chaincode.js as a contract's transaction: "Do PutState k v ; GetState k". */
class Program extends Contract {
    constructor() {
        super('program');
        this.calls = calls(shim);
    }

    /** A contract returns a text, or it throws: what else a program makes of its response is lost. */
    async Do(ctx) {
        try {
            return String(await run(this.calls, ctx.stub, ctx.stub.getBufferArgs().slice(1)));
        } catch (thrown) {
            if (!(thrown instanceof Return)) {
                throw thrown;
            }
            if (thrown.status >= 400) {
                throw new Error(thrown.message);
            }
            return String(thrown.payload);
        }
    }
}

/** What the transactions of Assets find in their context. */
class AssetContext extends Context {
    key(id) {
        return this.stub.createCompositeKey('asset', [id]);
    }
}

/** Assets is a contract as people write them. */
class Assets extends Contract {
    constructor() {
        super('assets');
    }

    createContext() {
        return new AssetContext();
    }

    async beforeTransaction(ctx) {
        ctx.caller = ctx.clientIdentity.getMSPID();
        if (ctx.clientIdentity.assertAttributeValue('banned', 'true')) {
            throw new Error(`${ctx.caller} is banned`);
        }
    }

    async afterTransaction(ctx, result) {
        ctx.stub.setEvent('after', Buffer.from(JSON.stringify({caller: ctx.caller, result})));
    }

    async unknownTransaction(ctx) {
        const {fcn, params} = ctx.stub.getFunctionAndParameters();
        throw new Error(`assets cannot ${fcn} ${params.join(' and ')}`);
    }

    async Create(ctx, id, value) {
        if (await this.Exists(ctx, id)) {
            throw new Error(`asset ${id} exists`);
        }
        const asset = {id, value: Number(value), owner: ctx.caller};
        await ctx.stub.putState(ctx.key(id), Buffer.from(JSON.stringify(asset)));
        return asset;
    }

    async Read(ctx, id) {
        const bytes = await ctx.stub.getState(ctx.key(id));
        if (bytes.length === 0) {
            throw new Error(`there is no asset ${id}`);
        }
        return JSON.parse(bytes.toString());
    }

    async Exists(ctx, id) {
        return (await ctx.stub.getState(ctx.key(id))).length > 0;
    }

    async Caller(ctx) {
        const identity = ctx.clientIdentity;
        return {
            id: identity.getID(),
            mspID: identity.getMSPID(),
            colour: identity.getAttributeValue('colour'),
            shade: identity.getAttributeValue('shade'),
            blue: identity.assertAttributeValue('colour', 'blue'),
            red: identity.assertAttributeValue('colour', 'red'),
            pem: Buffer.from(identity.getIDBytes()).toString().split('\n')[0],
        };
    }
}

exports.contracts = [Program, Assets];
