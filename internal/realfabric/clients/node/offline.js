'use strict';

// Requests that are signed where the client's key is, and sent by a gateway that has none.

const { step } = require('./step');

module.exports = async (network) => {
    const { identity, signer } = network.identity('Org1MSP', 'User1');
    const gateway = network.gateway('Org1MSP', { signer: undefined });
    const channel = gateway.getNetwork(network.target.channel);
    const sign = async (request) => [request.getBytes(), await signer(request.getDigest())];
    let submitted;

    await step('unsigned', () => channel.getContract('any').evaluateTransaction('get', 'a'));
    await step('sign an evaluation elsewhere', async () => {
        const proposal = channel.getContract('any').newProposal('get', { arguments: ['a'] });
        return gateway.newSignedProposal(...await sign(proposal)).evaluate();
    });
    await step('sign a transaction elsewhere', async () => {
        const unsigned = channel.getContract('any').newProposal('event', { arguments: ['offline', 'payload', 'o'] });
        const proposal = gateway.newSignedProposal(...await sign(unsigned));
        const transaction = gateway.newSignedTransaction(...await sign(await proposal.endorse()));
        submitted = await transaction.submit();
        const status = await gateway.newSignedCommit(...await sign(submitted)).getStatus();
        submitted.blockNumber = status.blockNumber;
        return { result: Buffer.from(transaction.getResult()).toString(), code: status.code, mspId: identity.mspId };
    });
    await step('sign a request for events elsewhere', async () => {
        const request = channel.newChaincodeEventsRequest('any', { startBlock: submitted.blockNumber });
        const events = await gateway.newSignedChaincodeEventsRequest(...await sign(request)).getEvents();
        for await (const e of events) {
            events.close();
            return { name: e.eventName, payload: Buffer.from(e.payload).toString() };
        }
    });
    const blocks = [
        ['blocks', 'newBlockEventsRequest', 'newSignedBlockEventsRequest', (b) => b.getHeader().getNumber()],
        ['filtered blocks', 'newFilteredBlockEventsRequest', 'newSignedFilteredBlockEventsRequest', (b) => b.getNumber()],
        ['blocks with private data', 'newBlockAndPrivateDataEventsRequest', 'newSignedBlockAndPrivateDataEventsRequest',
            (b) => b.getBlock().getHeader().getNumber()],
    ];
    for (const [name, make, remake, number] of blocks) {
        await step(`sign a request for ${name} elsewhere`, async () => {
            const request = channel[make]({ startBlock: submitted.blockNumber });
            const events = await gateway[remake](...await sign(request)).getEvents();
            for await (const b of events) {
                events.close();
                return BigInt(number(b)) === submitted.blockNumber;
            }
        });
    }
};
