// Has a Node program see a time that chaincodetest can put forward. The file that CHAINCODETEST_CLOCK names has eight bytes: by how many
// seconds. Command has Node load this before the program.
'use strict';

const fs = require('fs');

const file = process.env.CHAINCODETEST_CLOCK;
if (file && fs.existsSync(file)) {
	const descriptor = fs.openSync(file, 'r');
	const seconds = new BigInt64Array(1);
	const realNow = Date.now;
	const now = () => {
		fs.readSync(descriptor, seconds, 0, 8, 0);
		return realNow() + Number(seconds[0]) * 1000;
	};
	Date.now = now;
	const shifted = new Proxy(Date, {
		construct: (date, args, target) => Reflect.construct(date, args.length === 0 ? [now()] : args, target === shifted ? date : target),
		apply: (date) => new date(now()).toString(),
	});
	Date.prototype.constructor = shifted;
	globalThis.Date = shifted;
}
