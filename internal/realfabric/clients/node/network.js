'use strict';

// How a network is reached: what its description says, as connections and identities.

const fs = require('node:fs');
const crypto = require('node:crypto');
const grpc = require('@grpc/grpc-js');
const { connect, hash, signers } = require('@hyperledger/fabric-gateway');

class Network {
    constructor(description) {
        this.target = JSON.parse(fs.readFileSync(description));
        this.clients = {};
    }

    organization(mspId) {
        return this.target.organizations.find((o) => o.mspid === mspId);
    }

    // identity returns who a user is, and what signs for them.
    identity(mspId, name) {
        const user = mspId === this.target.foreign.mspid ? this.target.foreign : this.organization(mspId).users[name];
        const privateKey = crypto.createPrivateKey(fs.readFileSync(user.key));
        return {
            identity: { mspId, credentials: fs.readFileSync(user.cert) },
            signer: signers.newPrivateKeySigner(privateKey),
            hash: privateKey.asymmetricKeyType === 'ed25519' ? hash.none : hash.sha256,
        };
    }

    // dial connects to an organization's peer, where that has not been done yet, and shows it the client's certificate.
    dial(mspId) {
        if (this.clients[mspId]) {
            return this.clients[mspId];
        }
        const o = this.organization(mspId);
        const { cert, key } = this.target.client;
        const credentials = grpc.credentials.createSsl(fs.readFileSync(o.tlsRoot), fs.readFileSync(key), fs.readFileSync(cert));
        this.clients[mspId] = new grpc.Client(o.peer, credentials, { 'grpc.ssl_target_name_override': o.serverName });
        return this.clients[mspId];
    }

    // gateway is the gateway of an organization's peer, for one of the organization's users if no options say otherwise.
    gateway(mspId, options = {}) {
        const certificate = new crypto.X509Certificate(fs.readFileSync(this.target.client.cert));
        return connect({
            client: this.dial(mspId),
            tlsClientCertificateHash: crypto.createHash('sha256').update(certificate.raw).digest(),
            ...this.identity(mspId, 'User1'),
            ...options,
        });
    }

    // submit has a transaction committed by the peers of all organizations, before something else is asked of any of them.
    async submit(mspId, chaincode, name, options) {
        const submitted = await this.contract(mspId, chaincode).submitAsync(name, options);
        const signature = await this.identity(mspId, 'User1').signer(submitted.getDigest());
        for (const o of this.target.organizations) {
            await this.gateway(o.mspid).newSignedCommit(submitted.getBytes(), signature).getStatus();
        }
        const { code } = await submitted.getStatus();
        return code === 0 ? submitted.getResult() : { code };
    }

    // contract is a chaincode as an organization's user sees it.
    contract(mspId, chaincode, options) {
        return this.gateway(mspId, options).getNetwork(this.target.channel).getContract(chaincode);
    }

    close() {
        for (const c of Object.values(this.clients)) {
            c.close();
        }
        this.clients = {};
    }
}

module.exports = { Network };
