'use strict';

// Clients that aren't who they say, or may not do what they ask for.

const { step } = require('./step');

module.exports = async (network) => {
    const user = network.identity('Org1MSP', 'User1');
    const foreign = network.identity(network.target.foreign.mspid);
    const clients = {
        'wrong signature': { signer: network.identity('Org1MSP', 'Admin').signer },
        'foreign organization': foreign,
        'foreign certificate': { ...foreign, identity: { ...foreign.identity, mspId: 'Org1MSP' } },
        'expired certificate': network.identity('Org1MSP', 'Expired'),
        'no certificate': { identity: { ...user.identity, credentials: Buffer.from('not PEM') } },
        'other organization': network.identity('Org2MSP', 'User1'),
        'administrator': network.identity('Org1MSP', 'Admin'),
    };
    await step('wrong signature: submit', () => finish('wrong signature', (t) => t.submit()));
    await step('wrong signature: commit status', () => finish('right signature', async (t) => {
        const submitted = await t.submit();
        const gateway = network.gateway('Org1MSP');
        const wrong = await network.identity('Org1MSP', 'Admin').signer(submitted.getDigest());
        return gateway.newSignedCommit(submitted.getBytes(), wrong).getStatus();
    }));
    for (const [name, options] of Object.entries(clients)) {
        const channel = network.gateway('Org1MSP', options).getNetwork(network.target.channel);
        const contract = channel.getContract('any');
        await step(`${name}: evaluate`, () => contract.evaluateTransaction('who'));
        await step(`${name}: endorse`, () => contract.submitTransaction('who'));
        await step(`${name}: events`, () => opened(channel.getChaincodeEvents('any', { startBlock: 0n })));
        await step(`${name}: blocks`, () => opened(channel.getBlockEvents({ startBlock: 0n })));
        await step(`${name}: filtered blocks`, () => opened(channel.getFilteredBlockEvents({ startBlock: 0n })));
    }
    // finish has a transaction endorsed, and signed rightly or wrongly.
    async function finish(how, next) {
        const gateway = network.gateway('Org1MSP');
        const proposal = gateway.getNetwork(network.target.channel).getContract('any').newProposal('put', { arguments: ['s', '1'] });
        const endorsed = await proposal.endorse();
        const { signer } = how === 'wrong signature' ? network.identity('Org1MSP', 'Admin') : user;
        return next(gateway.newSignedTransaction(endorsed.getBytes(), await signer(endorsed.getDigest())));
    }
};

// opened returns whether something comes of a request for events.
async function opened(request) {
    const events = await request;
    for await (const _ of events) {
        events.close();
        return 'came';
    }
    return 'ended';
}
