'use strict';

// Transactions that go well, and how one can wait for them.

const { DefaultEventHandlerStrategies, DefaultQueryHandlerStrategies } = require('fabric-network');
const { step } = require('./step');

module.exports = async (network) => {
    const channel = await network.channel('Org1MSP');
    const any = channel.getContract('any');
    const all = channel.getContract('all');

    await step('submit', () => any.submitTransaction('put', 'a', '1'));
    await step('evaluate', () => any.evaluateTransaction('get', 'a'));
    await step('submit what was read', () => any.submitTransaction('put', 'a', '2'));
    await step('submit at the other organization', async () =>
        (await network.channel('Org2MSP')).getContract('any').submitTransaction('put', 'b', '1'));
    await step('evaluate what it wrote', () => any.evaluateTransaction('get', 'b'));
    await step('submit by all', () => all.submitTransaction('put', 'a', '1'));
    await step('submit by chosen organizations', () =>
        all.createTransaction('put').setEndorsingOrganizations('Org1MSP', 'Org2MSP').submit('a', '2'));
    await step('submit by chosen peers', () =>
        all.createTransaction('put').setEndorsingPeers(channel.getChannel().getEndorsers()).submit('a', '3'));
    await step('submit with transient data', () =>
        any.createTransaction('transient').setTransient({ value: Buffer.from('seen by endorsers only') }).submit());
    await step('evaluate with transient data', () =>
        any.createTransaction('transient').setTransient({ value: Buffer.from('again') }).evaluate());
    await step('evaluate a contract by its name', () => channel.getContract('any', 'named').evaluateTransaction('get', 'a'));
    await step('submit what was kept as text', async () => {
        const transaction = any.createTransaction('put');
        const same = any.deserializeTransaction(transaction.serialize());
        await same.submit('kept', '1');
        return same.getTransactionId() === transaction.getTransactionId();
    });
    await step('evaluate as somebody else', async () =>
        (await network.channel('Org1MSP', { identity: network.identity('Org1MSP', 'Admin') })).getContract('any').evaluateTransaction('who'));

    for (const [name, strategy] of Object.entries(DefaultEventHandlerStrategies)) {
        await step(`wait by ${name}`, () => any.createTransaction('put').setEventHandler(strategy).submit(name, '1'));
    }
    await step('wait for nobody', () => any.createTransaction('put').setEventHandler(() => ({
        startListening: async () => {}, waitForEvents: async () => {}, cancelListening: () => {},
    })).submit('unheard', '1'));
    for (const [name, strategy] of Object.entries(DefaultQueryHandlerStrategies)) {
        await step(`ask by ${name}`, async () => {
            const asked = await network.channel('Org1MSP', { queryHandlerOptions: { strategy } });
            return asked.getContract('any').evaluateTransaction('get', 'a');
        });
    }
    await step('ask qscc', async () => {
        const { common } = require('fabric-protos');
        const { BlockDecoder } = require('fabric-common');
        const qscc = channel.getContract('qscc');
        const ask = (...args) => qscc.evaluateTransaction(...args);
        const transaction = any.createTransaction('put');
        await transaction.submit('q', '1');
        const info = common.BlockchainInfo.decode(await ask('GetChainInfo', network.target.channel));
        const block = BlockDecoder.decode(await ask('GetBlockByTxID', network.target.channel, transaction.getTransactionId()));
        const found = BlockDecoder.decodeTransaction(await ask('GetTransactionByID', network.target.channel, transaction.getTransactionId()));
        const first = BlockDecoder.decode(await ask('GetBlockByNumber', network.target.channel, '0'));
        return {
            grown: info.height > 3, same: Buffer.compare(block.header.previous_hash, info.previousBlockHash) === 0,
            code: found.validationCode, type: found.transactionEnvelope.payload.header.channel_header.typeString,
            groups: Object.keys(first.data.data[0].payload.data.config.channel_group.groups).sort(),
        };
    });
};
