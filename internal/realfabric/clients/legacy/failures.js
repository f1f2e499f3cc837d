'use strict';

// What goes wrong, with the errors that tell it.

const { step } = require('./step');

module.exports = async (network) => {
    const channel = await network.channel('Org1MSP');
    const any = channel.getContract('any');
    const all = channel.getContract('all');

    for (const status of ['0', '400', '404', '500', '503']) {
        await step(`evaluate ${status}`, () => any.evaluateTransaction('fail', status, 'the reason'));
        await step(`submit ${status}`, () =>
            any.createTransaction('fail').setEndorsingOrganizations('Org1MSP').submit(status, 'the reason'));
    }
    await step('submit 399', () => any.submitTransaction('fail', '399', 'no reason'));
    await step('submit 500 by all', () => all.submitTransaction('fail', '500', 'the reason'));
    await step('conflict', async () => {
        const both = [1, 2].map(() => any.createTransaction('meet').setEndorsingOrganizations('Org1MSP').submit('m'));
        const outcomes = await Promise.allSettled(both);
        return outcomes.map((o) => o.reason ? { type: o.reason.name, code: o.reason.transactionCode, message: o.reason.message } : 'committed')
            .sort((a) => (a === 'committed' ? -1 : 1));
    });
    await step('mismatch', () => all.submitTransaction('differ', 'a'));
    await step('too few endorsements', () =>
        all.createTransaction('put').setEndorsingPeers(channel.getChannel().getEndorsers('Org1MSP')).submit('a', '4'));
    await step('evaluate an unknown function', () => any.evaluateTransaction('nothing'));
    await step('evaluate an unknown chaincode', () => channel.getContract('none').evaluateTransaction('get', 'a'));
    await step('submit to an unknown chaincode', () => channel.getContract('none').submitTransaction('get', 'a'));
    await step('use an unknown channel', async () =>
        (await (await network.gateway('Org1MSP')).getNetwork('nochannel')).getContract('any').evaluateTransaction('get', 'a'));
    await step('wait too long for an answer', async () => {
        const hasty = await network.channel('Org1MSP', { queryHandlerOptions: { timeout: 1 } });
        return hasty.getContract('any').evaluateTransaction('wait');
    });

    // A listener that is refused would try again for ever.
    const foreign = network.identity(network.target.foreign.mspid);
    const { credentials } = network.identity('Org1MSP', 'User1');
    const clients = {
        'wrong key': { ...foreign, mspId: 'Org1MSP', credentials: { ...credentials, privateKey: foreign.credentials.privateKey } },
        'foreign organization': foreign,
        'foreign certificate': { ...foreign, mspId: 'Org1MSP' },
        'expired certificate': network.identity('Org1MSP', 'Expired'),
        'other organization': network.identity('Org2MSP', 'User1'),
    };
    for (const [name, identity] of Object.entries(clients)) {
        await step(`${name}: evaluate`, async () =>
            (await network.channel('Org1MSP', { identity })).getContract('any').evaluateTransaction('who'));
        await step(`${name}: submit`, async () =>
            (await network.channel('Org1MSP', { identity })).getContract('any').submitTransaction('who'));
    }
};
