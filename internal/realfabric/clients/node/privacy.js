'use strict';

// Private data, and keys that have endorsement policies of their own.

const { step } = require('./step');

module.exports = async (network) => {
    const first = network.contract('Org1MSP', 'any');
    const second = network.contract('Org2MSP', 'any');
    const one = (name, options) => network.submit('Org1MSP', 'any', name, options);
    const two = (name, options) => network.submit('Org2MSP', 'any', name, options);
    const secret = (value) => ({ transientData: { value } });

    await step('hide from nobody', () =>
        one('hide', { arguments: ['both', 'p'], endorsingOrganizations: ['Org2MSP'], ...secret('for both') }));
    await step('reveal to a member', () => second.evaluateTransaction('reveal', 'both', 'p'));
    await step('hide from the other organization', () => one('hide', { arguments: ['first', 'p'], ...secret('for the first only') }));
    await step('reveal to the only member', () => first.evaluateTransaction('reveal', 'first', 'p'));
    await step('reveal to a stranger', () => second.evaluateTransaction('reveal', 'first', 'p'));
    await step('submit by strangers', () =>
        two('hide', { arguments: ['first', 'q'], endorsingOrganizations: ['Org2MSP'], ...secret('not for this one') }));
    await step('submit by strangers as the plan has it', () => two('hide', { arguments: ['first', 'q'], ...secret('not for this one') }));
    await step('compare hashes', () => two('hash', { arguments: ['first', 'p'] }));
    await step('remember a member\'s own', () =>
        one('hide', { arguments: ['_implicit_org_Org1MSP', 'p'], ...secret('for itself') }));
    await step('purge', () => one('purge', { arguments: ['first', 'p'] }));
    await step('reveal what is gone', () => first.evaluateTransaction('reveal', 'first', 'p'));

    await step('write a key', () => one('put', { arguments: ['owned', '1'] }));
    await step('give the key a policy', () => one('own', { arguments: ['owned', 'Org2MSP'] }));
    await step('write it as the policy wants', () => two('put', { arguments: ['owned', '2'] }));
    await step('write it as a plan has it', () => one('put', { arguments: ['owned', '3'] }));
    await step('write it otherwise', () => one('put', { arguments: ['owned', '4'], endorsingOrganizations: ['Org1MSP'] }));
    await step('give it to both', () => two('own', { arguments: ['owned', 'Org1MSP', 'Org2MSP'] }));
    await step('write it by one of two', () => two('put', { arguments: ['owned', '5'], endorsingOrganizations: ['Org2MSP'] }));
    await step('write it by both', () => two('put', { arguments: ['owned', '6'] }));
    await step('read it', () => second.evaluateTransaction('get', 'owned'));
};
