// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

// Node's own HTTP server under test: port 8080, and 8081, which takes an upgrade to WebSocket and
// sends the frames back as they are.
const http = require("http");
const crypto = require("crypto");

const known = { "/hello": 200, "/empty": 204, "/same": 304, "/broken": 500 };
const large = Buffer.alloc(3000000);

function take(request, response, status) {
	request.resume();
	request.on("end", () => response.writeHead(status, { "Content-Length": 5 }).end("taken"));
}

function answer(request, response) {
	if (request.method === "POST") return take(request, response, 200);
	if (request.method === "PUT") return take(request, response, 201);
	if (request.url === "/large")
		return response.writeHead(200, { "Content-Length": large.length }).end(large);
	if (request.url === "/chunks") {
		for (let i = 0; i < 20; i++) response.write("chunk\n");
		return response.end();
	}
	const status = known[request.url] || 404;
	response.writeHead(status, status === 204 || status === 304 ? {} : { "Content-Length": 5 });
	return response.end(status === 204 || status === 304 ? undefined : "hello");
}

function upgrade(request, socket) {
	const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	const accept = crypto.createHash("sha1").update(key).digest("base64");
	socket.write(
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			`Sec-WebSocket-Accept: ${accept}\r\n\r\n`
	);
	socket.on("error", () => socket.destroy());
	socket.pipe(socket);
}

http.createServer(answer).listen(8080);
http.createServer().on("upgrade", upgrade).listen(8081);
