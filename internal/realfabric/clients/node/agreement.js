'use strict';

// Two organizations trade an asset, whose properties and price are nobody else's business.

const { step } = require('./step');

module.exports = async (network) => {
    const sell = (name, options) => network.submit('Org1MSP', 'any', name, options);
    const buy = (name, options) => network.submit('Org2MSP', 'any', name, options);
    const seller = network.contract('Org1MSP', 'any');
    const buyer = network.contract('Org2MSP', 'any');
    const properties = { properties: '{"color":"blue","size":35,"salt":"a1b2"}' };
    const price = (amount) => ({ price: `{"price":${amount},"trade":"t1"}` });
    const of = (mspId, transientData, ...args) => ({ arguments: args, transientData, endorsingOrganizations: [mspId] });

    await step('create an asset', () => sell('create', of('Org1MSP', properties, 'asset1', 'for sale')));
    await step('read it', () => buyer.evaluateTransaction('asset', 'asset1'));
    await step('read its properties', () => seller.evaluateTransaction('reveal', '_implicit_org_Org1MSP', 'asset1'));
    await step('read its properties as a stranger', () => buyer.evaluateTransaction('reveal', '_implicit_org_Org1MSP', 'asset1'));
    await step('change it as a stranger', () => buy('describe', of('Org2MSP', {}, 'asset1', 'mine')));
    await step('agree to sell', () => sell('agree', of('Org1MSP', price(110), 'asset1')));
    await step('verify other properties', () => buyer.evaluate('verify', of('Org2MSP', { properties: '{"color":"red"}' }, 'asset1')));
    await step('verify the properties', () => buyer.evaluate('verify', of('Org2MSP', properties, 'asset1')));
    await step('agree to buy for less', () => buy('agree', of('Org2MSP', price(100), 'asset1')));
    const transfer = (amount) => ({
        arguments: ['asset1', 'Org2MSP'], transientData: { ...properties, ...price(amount) },
        endorsingOrganizations: ['Org1MSP', 'Org2MSP'],
    });
    await step('transfer without an agreement', () => sell('transfer', transfer(110)));
    await step('agree to buy', () => buy('agree', of('Org2MSP', price(110), 'asset1')));
    await step('transfer as a stranger', () => buy('transfer', transfer(110)));
    await step('transfer by the seller\'s organization alone', () =>
        sell('transfer', { ...transfer(110), endorsingOrganizations: ['Org1MSP'] }));
    await step('transfer', () => sell('transfer', transfer(110)));
    await step('read it after the transfer', () => seller.evaluateTransaction('asset', 'asset1'));
    await step('read the properties that were sold', () => seller.evaluateTransaction('reveal', '_implicit_org_Org1MSP', 'asset1'));
    await step('read the properties that were bought', () => buyer.evaluateTransaction('reveal', '_implicit_org_Org2MSP', 'asset1'));
    await step('change it as its owner before', () => sell('describe', of('Org1MSP', {}, 'asset1', 'still mine')));
    await step('change it as its owner', () => buy('describe', of('Org2MSP', {}, 'asset1', 'bought')));
};
