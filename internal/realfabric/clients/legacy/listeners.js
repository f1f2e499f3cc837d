'use strict';

// What clients hear of blocks, of transactions and of chaincode's events, with checkpoints, and after a new connection.

const fs = require('node:fs/promises');
const os = require('node:os');
const path = require('node:path');
const { DefaultCheckpointers } = require('fabric-network');
const { step } = require('./step');

module.exports = async (network) => {
    const channel = await network.channel('Org1MSP');
    const any = channel.getContract('any');
    const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'listeners-'));
    const emit = (name) => any.submitTransaction('event', name, `of ${name}`, 'e');

    let startBlock;
    await step('events as they come', async () => {
        const coming = contractEvents(any, 2);
        await coming.listening;
        await emit('first');
        await emit('second');
        const heard = await coming.heard;
        startBlock = heard[0].getTransactionEvent().getBlockEvent().blockNumber;
        return heard.map(event);
    });
    await emit('third');
    await step('replayed events', async () => (await contractEvents(any, 3, { startBlock }).heard).map(event));
    await step('replayed events without what they say', async () =>
        (await contractEvents(any, 3, { startBlock, type: 'filtered' }).heard).map(event));
    const checkpoint = () => DefaultCheckpointers.file(path.join(dir, 'checkpoint'));
    await step('events to a checkpoint', async () => {
        const { checkpointer, saved } = saving(await checkpoint(), startBlock.add(2));
        const heard = await contractEvents(any, 2, { startBlock, checkpointer }).heard;
        await saved;
        return heard.map(event);
    });
    await step('events after a new connection', async () => {
        const again = (await network.channel('Org1MSP')).getContract('any');
        return (await contractEvents(again, 1, { startBlock, checkpointer: await checkpoint() }).heard).map(event);
    });

    await any.createTransaction('hide').setTransient({ value: Buffer.from('of both') }).setEndorsingOrganizations('Org1MSP').submit('both', 'l');
    await channel.getContract('all').createTransaction('put').setEndorsingPeers(channel.getChannel().getEndorsers('Org1MSP'))
        .submit('a', 'invalid').catch(() => {});
    for (const type of ['full', 'filtered', 'private']) {
        await step(`replayed blocks, ${type}`, async () => (await blocks(channel, 5, { startBlock, type }).heard).map(block));
        await step(`blocks as they come, ${type}`, async () => {
            const coming = hear(1, (l) => channel.addBlockListener(l, { type }), (l) => channel.removeBlockListener(l), (b) => has(b, type));
            await coming.listening;
            await emit(type);
            return (await coming.heard).map(block);
        });
    }
    await step('blocks to a checkpoint', async () => {
        const { checkpointer, saved } = saving(await DefaultCheckpointers.file(path.join(dir, 'blocks')), startBlock.add(2));
        await blocks(channel, 2, { startBlock, checkpointer }).heard;
        await saved;
        return (await blocks(channel, 1, { checkpointer }).heard).map((b) => b.blockNumber.sub(startBlock).toNumber());
    });
    await step('the first block', async () => (await blocks(channel, 1, { startBlock: 0 }).heard).map((b) => ({
        number: b.blockNumber.toNumber(), transactions: b.getTransactionEvents().length,
    })));
    await step('what each peer says of a transaction', async () => {
        const transaction = any.createTransaction('put');
        const peers = channel.getChannel().getEndorsers();
        const said = new Promise((resolve, reject) => {
            const all = [];
            channel.addCommitListener((error, e) => {
                if (error) {
                    reject(error);
                } else if (all.push(`${e.peer.mspid} ${e.status}`) === peers.length) {
                    resolve(all.sort());
                }
            }, peers, transaction.getTransactionId()).catch(reject);
        });
        await transaction.submit('c', '1');
        return said;
    });
    await fs.rm(dir, { recursive: true });
};

// saving has a checkpointer save what comes before a block, and tells when it has: it does so after a listener has heard of it.
function saving(checkpointer, before) {
    let [isSaved, done] = [false];
    const saved = new Promise((resolve) => {
        done = resolve;
    });
    return {
        saved,
        checkpointer: {
            addTransactionId: async (id) => isSaved || checkpointer.addTransactionId(id),
            getBlockNumber: () => checkpointer.getBlockNumber(),
            getTransactionIds: () => checkpointer.getTransactionIds(),
            setBlockNumber: async (number) => {
                if (isSaved) {
                    return;
                }
                isSaved = number.equals(before);
                await checkpointer.setBlockNumber(number);
                if (isSaved) {
                    done();
                }
            },
        },
    };
}

// has says whether a block has an event: what a listener hears first may be a block of before.
function has(b, name) {
    return b.getTransactionEvents().some((t) => t.getContractEvents().some((e) => e.eventName === name));
}

// hear collects what a listener hears and wants, until it has n of it.
function hear(n, add, remove, wants = () => true) {
    let listening;
    const heard = new Promise((resolve, reject) => {
        const all = [];
        const listener = async (e) => {
            if (wants(e) && all.push(e) === n) {
                remove(listener);
                resolve(all);
            }
        };
        listening = add(listener);
        listening.catch(reject);
    });
    return { listening, heard };
}

function contractEvents(contract, n, options) {
    return hear(n, (l) => contract.addContractListener(l, options), (l) => contract.removeContractListener(l));
}

function blocks(channel, n, options) {
    return hear(n, (l) => channel.addBlockListener(l, options), (l) => channel.removeBlockListener(l));
}

function event(e) {
    return `${e.chaincodeId} ${e.eventName}: ${e.payload}, ${e.getTransactionEvent().status}`;
}

function block(b) {
    return b.getTransactionEvents().map((t) => ({ status: t.status, events: t.getContractEvents().map(event), private: writes(t.privateData) }));
}

// writes are a transaction's writes to collections.
function writes(data) {
    return data?.ns_pvt_rwset.flatMap((n) => n.collection_pvt_rwset.flatMap((c) =>
        c.rwset.writes.map((w) => `${n.namespace}/${c.collection_name}/${w.key}=${w.value}`)));
}
