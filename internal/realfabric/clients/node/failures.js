'use strict';

// What goes wrong, with the errors that tell it.

const grpc = require('@grpc/grpc-js');
const { step } = require('./step');

module.exports = async (network) => {
    const any = network.contract('Org1MSP', 'any');
    const all = network.contract('Org1MSP', 'all');
    const channel = network.gateway('Org1MSP').getNetwork('nochannel');

    for (const status of ['0', '199', '400', '404', '499', '500', '503', '600']) {
        await step(`evaluate ${status}`, () => any.evaluateTransaction('fail', status, 'the reason'));
        await step(`submit ${status}`, () => any.submitTransaction('fail', status, 'the reason'));
    }
    await step('submit 399', () => any.submitTransaction('fail', '399', 'no reason'));
    await step('submit 500 by a plan', () => all.submitTransaction('fail', '500', 'the reason'));
    await step('submit 500 by chosen organizations', () =>
        all.submit('fail', { arguments: ['500', 'the reason'], endorsingOrganizations: ['Org1MSP', 'Org2MSP'] }));
    await step('evaluate an unknown function', () => any.evaluateTransaction('nothing'));
    await step('conflict', async () => {
        const proposals = [any.newProposal('add', { arguments: ['n'] }), any.newProposal('add', { arguments: ['n'] })];
        const transactions = [await proposals[0].endorse(), await proposals[1].endorse()];
        const statuses = [];
        for (const t of transactions) {
            const { code, successful } = await (await t.submit()).getStatus();
            statuses.push({ code, successful });
        }
        return statuses;
    });
    await step('mismatch', () => all.submitTransaction('differ', 'a'));
    await step('mismatch by chosen organizations', async () => {
        try {
            return await all.submit('differ', { arguments: ['a'], endorsingOrganizations: ['Org1MSP', 'Org2MSP'] });
        } catch (e) {
            return e.details.map((d) => d.message); // of the organization that answers last
        }
    });
    await step('too few endorsements', () =>
        all.submit('put', { arguments: ['a', '3'], endorsingOrganizations: ['Org1MSP'] }));
    await step('evaluate at an unknown organization', () =>
        any.evaluate('get', { arguments: ['a'], endorsingOrganizations: ['Org9MSP'] }));
    await step('submit by an unknown organization', () =>
        any.submit('get', { arguments: ['a'], endorsingOrganizations: ['Org1MSP', 'Org9MSP'] }));
    await step('evaluate an unknown chaincode', () => network.contract('Org1MSP', 'none').evaluateTransaction('get', 'a'));
    await step('submit to an unknown chaincode', () => network.contract('Org1MSP', 'none').submitTransaction('get', 'a'));
    await step('evaluate on an unknown channel', () => channel.getContract('any').evaluateTransaction('get', 'a'));
    await step('submit on an unknown channel', () => channel.getContract('any').submitTransaction('get', 'a'));
    await step('events of an unknown channel', () => first(channel.getChaincodeEvents('any')));
    await step('blocks of an unknown channel', () => first(channel.getBlockEvents()));
    await step('blocks beyond the last one', () =>
        first(network.gateway('Org1MSP').getNetwork(network.target.channel).getBlockEvents({ startBlock: 1000000n })));
    await step('deadline of an evaluation', () => late(any.newProposal('wait').evaluate(soon())));
    await step('deadline of an endorsement', () => late(any.newProposal('wait').endorse(soon())));
    await step('transaction sent twice', async () => {
        const transaction = await any.newProposal('put', { arguments: ['twice', '1'] }).endorse();
        const codes = [];
        for (let i = 0; i < 2; i++) {
            codes.push((await (await transaction.submit()).getStatus()).code);
        }
        return codes;
    });
};

// soon is a deadline that chaincode which waits can't meet.
function soon() {
    return { deadline: Date.now() + 300 };
}

// late says that a call was late. Who says so first is a race, and so are the text, and whether it was cancelled or exceeded its deadline.
async function late(call) {
    try {
        return await call;
    } catch (e) {
        return { type: e.name, late: [grpc.status.CANCELLED, grpc.status.DEADLINE_EXCEEDED].includes(e.code) };
    }
}

// first returns whether something comes of a request for events.
async function first(request) {
    const events = await request;
    for await (const _ of events) {
        events.close();
        return 'came';
    }
    return 'ended';
}
