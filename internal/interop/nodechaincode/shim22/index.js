'use strict';

require('../chaincode').start(require('fabric-shim'));
