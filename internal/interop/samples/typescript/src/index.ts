import {Context, Contract, Info, Returns, Transaction} from 'fabric-contract-api';

interface Asset {
    ID: string;
    Color: string;
    Size: number;
    Owner: string;
    AppraisedValue: number;
}

/** Assets keeps assets, which anybody may create, transfer and delete. */
@Info({title: 'AssetTransfer', description: 'Smart contract for trading assets'})
export class Assets extends Contract {
    @Transaction()
    async CreateAsset(ctx: Context, id: string, color: string, size: number, owner: string, value: number): Promise<void> {
        if (await this.AssetExists(ctx, id)) {
            throw new Error(`The asset ${id} already exists`);
        }
        await put(ctx, {ID: id, Color: color, Size: Number(size), Owner: owner, AppraisedValue: Number(value)});
    }

    @Transaction(false)
    @Returns('string')
    async ReadAsset(ctx: Context, id: string): Promise<string> {
        const value = await ctx.stub.getState(id);
        if (value.length === 0) {
            throw new Error(`The asset ${id} does not exist`);
        }
        return new TextDecoder().decode(value);
    }

    @Transaction(false)
    @Returns('boolean')
    async AssetExists(ctx: Context, id: string): Promise<boolean> {
        return (await ctx.stub.getState(id)).length > 0;
    }

    @Transaction()
    @Returns('string')
    async TransferAsset(ctx: Context, id: string, owner: string): Promise<string> {
        const asset = JSON.parse(await this.ReadAsset(ctx, id)) as Asset;
        const old = asset.Owner;
        asset.Owner = owner;
        await put(ctx, asset);
        return old;
    }

    @Transaction()
    async DeleteAsset(ctx: Context, id: string): Promise<void> {
        await this.ReadAsset(ctx, id);
        await ctx.stub.deleteState(id);
    }
}

async function put(ctx: Context, asset: Asset): Promise<void> {
    await ctx.stub.putState(asset.ID, new TextEncoder().encode(JSON.stringify(asset)));
}

export const contracts = [Assets];
