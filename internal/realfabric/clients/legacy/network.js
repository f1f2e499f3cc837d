'use strict';

// How a network is reached: what its description says, as a connection profile and identities.

const fs = require('node:fs');
const { DefaultEventHandlerStrategies, Gateway } = require('fabric-network');

const read = (file) => fs.readFileSync(file).toString();

class Network {
    constructor(description, discovery) {
        this.target = JSON.parse(read(description));
        this.discovery = { enabled: discovery, asLocalhost: true };
        this.gateways = [];
    }

    // profile is what an application is told by the network's people: with discovery, it knows the peers of its organization only.
    profile(mspId) {
        const known = this.target.organizations.filter((o) => !this.discovery.enabled || o.mspid === mspId);
        const { orderer, channel } = this.target;
        const name = (o) => `peer of ${o.mspid}`;
        const server = (address, { tlsRoot, serverName }) => ({
            url: `grpcs://${address}`, tlsCACerts: { pem: read(tlsRoot) },
            grpcOptions: { 'ssl-target-name-override': serverName },
        });
        const profile = {
            name: 'network', version: '1.0.0', client: { organization: mspId },
            organizations: Object.fromEntries(known.map((o) => [o.mspid, { mspid: o.mspid, peers: [name(o)] }])),
            peers: Object.fromEntries(known.map((o) => [name(o), server(o.peer, o)])),
        };
        if (!this.discovery.enabled) {
            profile.orderers = { orderer: { mspid: orderer.mspid, ...server(orderer.address, orderer) } };
            profile.channels = { [channel]: { orderers: ['orderer'], peers: Object.fromEntries(known.map((o) => [name(o), {}])) } };
        }
        return profile;
    }

    identity(mspId, name) {
        const user = mspId === this.target.foreign.mspid ? this.target.foreign :
            this.target.organizations.find((o) => o.mspid === mspId).users[name];
        return { type: 'X.509', version: 1, mspId, credentials: { certificate: read(user.cert), privateKey: read(user.key) } };
    }

    // gateway connects one of an organization's users, if no options say otherwise. They wait for all peers to commit.
    async gateway(mspId, options = {}) {
        const gateway = new Gateway();
        this.gateways.push(gateway);
        const { cert, key } = this.target.client;
        await gateway.connect(this.profile(mspId), {
            identity: this.identity(mspId, 'User1'), discovery: this.discovery, tlsInfo: { certificate: read(cert), key: read(key) },
            eventHandlerOptions: { strategy: DefaultEventHandlerStrategies.NETWORK_SCOPE_ALLFORTX }, ...options,
        });
        return gateway;
    }

    // channel is the network's channel, as an organization's user sees it.
    async channel(mspId, options) {
        return (await this.gateway(mspId, options)).getNetwork(this.target.channel);
    }

    close() {
        this.gateways.forEach((g) => g.disconnect());
        this.gateways = [];
    }
}

module.exports = { Network };
