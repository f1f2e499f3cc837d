'use strict';

// Private data, and keys that have endorsement policies of their own.

const { step } = require('./step');

module.exports = async (network) => {
    const first = (await network.channel('Org1MSP')).getContract('any');
    const second = (await network.channel('Org2MSP')).getContract('any');
    const hide = (contract, mspId, value) =>
        contract.createTransaction('hide').setTransient({ value: Buffer.from(value) }).setEndorsingOrganizations(mspId);

    await step('hide from nobody', () => hide(first, 'Org2MSP', 'for both').submit('both', 'p'));
    await step('reveal to a member', () => second.evaluateTransaction('reveal', 'both', 'p'));
    await step('hide from the other organization', () => hide(first, 'Org1MSP', 'for the first only').submit('first', 'p'));
    await step('reveal to the only member', () => first.evaluateTransaction('reveal', 'first', 'p'));
    await step('reveal to a stranger', () => second.evaluateTransaction('reveal', 'first', 'p'));
    await step('compare hashes', () => second.evaluateTransaction('hash', 'first', 'p'));
    await step('plan with a collection', () => {
        const interested = first.addDiscoveryInterest({ name: 'any', collectionNames: ['both'] });
        return interested.createTransaction('hide').setTransient({ value: Buffer.from('planned') })
            .setEndorsingOrganizations('Org1MSP').submit('both', 'planned');
    });

    await step('write a key', () => first.submitTransaction('put', 'owned', '1'));
    await step('give the key a policy', () => first.submitTransaction('own', 'owned', 'Org2MSP'));
    const write = (contract, ...mspIds) => contract.createTransaction('put').setEndorsingOrganizations(...mspIds);
    await step('write it as the policy wants', () => write(second, 'Org2MSP').submit('owned', '2'));
    await step('write it otherwise', () => write(first, 'Org1MSP').submit('owned', '3'));
    await step('read it', () => second.evaluateTransaction('get', 'owned'));
};
