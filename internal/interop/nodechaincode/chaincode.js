'use strict';

const fs = require('fs');

const {calls} = require('./calls');
const {Return, run} = require('./program');

/**
 * A chaincode on Fabric's Node shim, of any version, that does what it is told: its arguments are calls of the stub's
 * methods, in words, separated by ";".
 *
 *     PutState k v ; GetState k
 *
 * The payload of its response has a line for each call that returned something. The first call that fails ends the
 * transaction, with status 500 and the error's text.
 */
exports.Chaincode = class Chaincode {
    constructor(shim) {
        this.shim = shim;
        this.calls = calls(shim);
    }

    Init(stub) {
        return this.Invoke(stub);
    }

    async Invoke(stub) {
        const words = stub.getBufferArgs();
        if (String(words[0]) === 'Throw') {
            throw new Error(String(words[1])); // the shim is not prepared for that
        }
        try {
            return this.shim.success(await run(this.calls, stub, words));
        } catch (thrown) {
            return thrown instanceof Return ? {...thrown} : this.shim.error(thrown.message);
        }
    }
};

/** Starts the chaincode: as a server where CHAINCODE_SERVER_ADDRESS is set, else as a client of --peer.address. */
exports.start = function (shim) {
    const chaincode = new exports.Chaincode(shim);
    const address = process.env.CHAINCODE_SERVER_ADDRESS;
    if (!address) {
        return shim.start(chaincode);
    }
    return shim.server(chaincode, {
        ccid: process.env.CORE_CHAINCODE_ID_NAME,
        address,
        tlsProps: tlsProps(process.env),
        'grpc.max_receive_message_length': -1, // 4 MB if left alone
        'grpc.max_send_message_length': -1,
    }).start();
};

/** A server's TLS. It finds what is its own in the variables that are a client's, as servers on the contract API for Go do. */
function tlsProps(env) {
    if (env.CORE_PEER_TLS_ENABLED !== 'true') {
        return null;
    }
    return {
        key: fs.readFileSync(env.CORE_TLS_CLIENT_KEY_FILE),
        cert: fs.readFileSync(env.CORE_TLS_CLIENT_CERT_FILE),
        clientCACerts: fs.readFileSync(env.CORE_PEER_TLS_ROOTCERT_FILE),
    };
}
