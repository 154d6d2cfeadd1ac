// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

// Node's http client under test; see ask-curl.sh.
const http = require("http");

function ask(server, agent, method, path, body, headers) {
	return new Promise((resolve, reject) => {
		const request = http.request(server + path, { method, agent, headers: headers || {} });
		request.on("error", reject);
		request.on("response", (response) => {
			response.resume();
			response.on("end", () => resolve(console.log(server, method, response.statusCode)));
		});
		if (!headers || !headers.Expect) return request.end(body);
		request.on("continue", () => request.end(body));
		return request.flushHeaders();
	});
}

async function askAll(server) {
	const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
	const expect = { Expect: "100-continue", "Content-Length": 4 };
	await ask(server, agent, "GET", "/hello");
	await ask(server, agent, "GET", "/hello");
	await ask(server, agent, "GET", "/chunks", undefined, { "Accept-Encoding": "gzip" });
	await ask(server, agent, "GET", "/large");
	await ask(server, agent, "HEAD", "/hello");
	await ask(server, agent, "POST", "/take", Buffer.alloc(100000, "7"));
	await ask(server, agent, "PUT", "/take", "some", expect);
	for (const path of ["/empty", "/same", "/missing", "/broken"])
		await ask(server, agent, "GET", path);
	await ask(server, agent, "GET", "/hello", undefined, { Connection: "close" });
	agent.destroy();
}

(async () => {
	for (const server of process.argv.slice(2)) await askAll(server);
})();
