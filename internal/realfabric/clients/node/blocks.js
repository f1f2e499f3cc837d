'use strict';

// Blocks as they are, filtered, and with private data.

const { checkpointers } = require('@hyperledger/fabric-gateway');
const { common, ledger } = require('@hyperledger/fabric-protos');
const { step } = require('./step');

module.exports = async (network) => {
    const channel = network.gateway('Org1MSP').getNetwork(network.target.channel);
    const other = network.gateway('Org2MSP').getNetwork(network.target.channel);
    const any = channel.getContract('any');
    const number = async (submitted) => (await submitted.getStatus()).blockNumber;

    const startBlock = await number(await any.submitAsync('event', { arguments: ['named', 'payload', 'e'] }));
    await any.submitTransaction('fail', '399', 'a transaction that writes nothing');
    await (await channel.getContract('all').submitAsync('put', {
        arguments: ['a', 'invalid'], endorsingOrganizations: ['Org1MSP'],
    })).getStatus();
    await any.submit('hide', { arguments: ['both', 'k'], transientData: { value: 'of both' } });
    const last = await number(await any.submitAsync('hide', { arguments: ['first', 'k'], transientData: { value: 'of the first' } }));
    const n = Number(last - startBlock) + 1;

    await step('blocks', async () => read(await channel.getBlockEvents({ startBlock }), n, block));
    await step('filtered blocks', async () => read(await channel.getFilteredBlockEvents({ startBlock }), n, filtered));
    await step('blocks with private data', async () =>
        read(await channel.getBlockAndPrivateDataEvents({ startBlock }), n, withPrivateData));
    await step('blocks with private data of the other organization', async () =>
        read(await other.getBlockAndPrivateDataEvents({ startBlock }), n, withPrivateData));
    await step('blocks from a checkpoint', async () => {
        const checkpoint = checkpointers.inMemory();
        await checkpoint.checkpointBlock(startBlock);
        return read(await channel.getFilteredBlockEvents({ checkpoint }), n - 1, filtered);
    });
    await step('blocks as they come', async () => {
        const coming = read(await channel.getBlockEvents({ startBlock: last + 1n }), 1, block);
        await any.submitTransaction('put', 'a', 'new');
        return coming;
    });
    await step('the first block', async () => read(await channel.getBlockEvents({ startBlock: 0n }), 1, (b) => ({
        number: b.getHeader().getNumber(), previous: b.getHeader().getPreviousHash_asU8().length, ...block(b),
    })));
};

// read reads some blocks, and closes their stream.
async function read(events, n, describe) {
    const all = [];
    for await (const e of events) {
        all.push(describe(e));
        if (all.length === n) {
            events.close();
            break;
        }
    }
    return all;
}

// block is the types and the codes of a block's transactions.
function block(b) {
    const types = b.getData().getDataList_asU8().map((bytes) => {
        const payload = common.Payload.deserializeBinary(common.Envelope.deserializeBinary(bytes).getPayload_asU8());
        const header = common.ChannelHeader.deserializeBinary(payload.getHeader().getChannelHeader_asU8());
        return header.getType();
    });
    const codes = b.getMetadata().getMetadataList_asU8()[common.BlockMetadataIndex.TRANSACTIONS_FILTER];
    return { types, codes: [...codes] };
}

function filtered(b) {
    return b.getFilteredTransactionsList().map((tx) => ({
        type: tx.getType(), code: tx.getTxValidationCode(),
        events: (tx.getTransactionActions()?.getChaincodeActionsList() ?? []).map((action) => {
            const e = action.getChaincodeEvent();
            return `${e.getChaincodeId()} ${e.getEventName()}: ${e.getPayload_asU8().length} bytes`;
        }),
    }));
}

function withPrivateData(b) {
    const writes = [];
    b.getPrivateDataMapMap().forEach((set, transaction) => {
        for (const namespace of set.getNsPvtRwsetList()) {
            for (const collection of namespace.getCollectionPvtRwsetList()) {
                const rwset = ledger.rwset.kvrwset.KVRWSet.deserializeBinary(collection.getRwset_asU8());
                for (const w of rwset.getWritesList()) {
                    const value = Buffer.from(w.getValue_asU8()).toString();
                    writes.push(`${transaction}: ${namespace.getNamespace()}/${collection.getCollectionName()}/${w.getKey()}=${value}`);
                }
            }
        }
    });
    return { ...block(b.getBlock()), writes };
}
