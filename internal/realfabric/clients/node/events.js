'use strict';

// Events of chaincode, with checkpoints, and after a new connection.

const fs = require('node:fs/promises');
const os = require('node:os');
const path = require('node:path');
const { checkpointers } = require('@hyperledger/fabric-gateway');
const { step } = require('./step');

module.exports = async (network) => {
    const gateway = network.gateway('Org1MSP');
    const channel = gateway.getNetwork(network.target.channel);
    const contract = channel.getContract('any');
    const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'events-'));
    const emit = async (name) => {
        const submitted = await contract.submitAsync('event', { arguments: [name, `of ${name}`, 'e'] });
        return (await submitted.getStatus()).blockNumber;
    };
    let from;

    await step('events as they come', async () => {
        const events = await channel.getChaincodeEvents('any');
        const coming = read(events, 2); // it is asked for before there is anything
        await settled(channel);
        from = await emit('first');
        await contract.submitTransaction('put', 'a', 'without an event');
        await emit('second');
        return coming;
    });
    await emit('third');
    await step('events from a block', async () => read(await channel.getChaincodeEvents('any', { startBlock: from }), 3));
    await step('events of another chaincode', async () => {
        const started = await network.contract('Org1MSP', 'all').submitAsync('event', { arguments: ['other', 'payload', 'e'] });
        const { blockNumber } = await started.getStatus();
        return read(await channel.getChaincodeEvents('all', { startBlock: blockNumber }), 1);
    });
    const checkpointer = checkpointers.inMemory();
    await step('events to a checkpoint', async () =>
        read(await channel.getChaincodeEvents('any', { startBlock: from, checkpoint: checkpointer }), 1, checkpointer));
    await step('events from a checkpoint', async () =>
        read(await channel.getChaincodeEvents('any', { startBlock: from, checkpoint: checkpointer }), 2, checkpointer));
    await step('events from a checkpoint that are yet to come', async () => {
        const events = await channel.getChaincodeEvents('any', { checkpoint: checkpointer });
        await emit('fourth');
        return read(events, 1, checkpointer);
    });
    await step('events to a checkpoint in a file', async () => {
        const file = await checkpointers.file(path.join(dir, 'checkpoint'));
        return read(await channel.getChaincodeEvents('any', { startBlock: from, checkpoint: file }), 2, file);
    });
    await step('events after a new connection', async () => {
        gateway.close();
        network.close();
        const file = await checkpointers.file(path.join(dir, 'checkpoint'));
        const again = network.gateway('Org1MSP').getNetwork(network.target.channel);
        return read(await again.getChaincodeEvents('any', { startBlock: 0n, checkpoint: file }), 2, file);
    });
    await fs.rm(dir, { recursive: true });
};

// settled waits until the peer has answered something that was asked after the events.
async function settled(channel) {
    await channel.getContract('any').evaluateTransaction('get', 'a');
}

// read reads some events, and closes their stream.
async function read(events, n, checkpointer) {
    const all = [];
    for await (const e of events) {
        all.push(`${e.chaincodeName} ${e.eventName}: ${Buffer.from(e.payload).toString()}`);
        await checkpointer?.checkpointChaincodeEvent(e);
        if (all.length === n) {
            events.close();
            break;
        }
    }
    return all;
}
