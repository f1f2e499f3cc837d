'use strict';

// Transactions that go well.

const { step } = require('./step');

module.exports = async (network) => {
    const any = network.contract('Org1MSP', 'any');
    const all = network.contract('Org1MSP', 'all');
    const other = network.contract('Org2MSP', 'any');

    await step('submit', () => any.submitTransaction('put', 'a', '1'));
    await step('evaluate', () => any.evaluateTransaction('get', 'a'));
    await step('submit what was read', () => any.submitTransaction('put', 'a', '2'));
    await step('submit at the other organization', () => other.submitTransaction('put', 'b', '1'));
    await step('evaluate at the other organization', () => other.evaluateTransaction('get', 'b'));
    await step('evaluate at chosen organizations', () =>
        any.evaluate('who', { endorsingOrganizations: ['Org2MSP'] }));
    await step('submit without waiting', async () => {
        const submitted = await any.submitAsync('put', { arguments: ['a', '3'] });
        const first = await submitted.getStatus();
        const second = await submitted.getStatus();
        return {
            result: Buffer.from(submitted.getResult()).toString(), code: first.code, successful: first.successful,
            same: first.blockNumber === second.blockNumber && first.transactionId === submitted.getTransactionId(),
        };
    });
    await step('submit by a plan', () => all.submitTransaction('put', 'a', '1'));
    await step('submit by chosen organizations', () =>
        all.submit('put', { arguments: ['a', '2'], endorsingOrganizations: ['Org2MSP', 'Org1MSP'] }));
    await step('submit as bytes', () => any.submitTransaction('put', Buffer.from('bytes'), Buffer.from([0xe2, 0x82, 0xac])));
    await step('evaluate as bytes', () => any.evaluateTransaction('get', 'bytes'));
    await step('submit an empty value', () => any.submitTransaction('put', 'empty', ''));
    await step('evaluate with transient data', () =>
        any.evaluate('transient', { transientData: { value: 'seen by endorsers only' } }));
    await step('submit with transient data', () =>
        any.submit('transient', { transientData: { value: Buffer.from('again') } }));
    await step('evaluate a contract by its name', () =>
        network.gateway('Org1MSP').getNetwork(network.target.channel).getContract('any', 'named').evaluateTransaction('get', 'a'));
    await step('evaluate a large value', async () => (await any.evaluateTransaction('large', '3000000')).length);
    await step('evaluate qscc', async () => {
        const { common } = require('@hyperledger/fabric-protos');
        const qscc = network.contract('Org1MSP', 'qscc');
        const info = common.BlockchainInfo.deserializeBinary(await qscc.evaluateTransaction('GetChainInfo', network.target.channel));
        const bytes = await qscc.evaluateTransaction('GetBlockByNumber', network.target.channel, '0');
        return { grown: info.getHeight() > 3, first: common.Block.deserializeBinary(bytes).getHeader().getNumber() };
    });
};
