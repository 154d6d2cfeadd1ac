// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.concurrent.Executors;

/** Java's own HTTP server under test. */
public class Serve {
	private static final Map<String, Integer> KNOWN =
		Map.of("/hello", 200, "/empty", 204, "/same", 304, "/broken", 500);
	private static final int CHUNKED = 0, NONE = -1; // in place of a length

	private static void write(HttpExchange exchange, int status, byte[] body) throws IOException {
		exchange.sendResponseHeaders(status, body.length);
		exchange.getResponseBody().write(body);
	}

	private static void chunks(HttpExchange exchange) throws IOException {
		exchange.sendResponseHeaders(200, CHUNKED);
		for (int i = 0; i < 20; i++) {
			exchange.getResponseBody().write("chunk\n".getBytes());
			exchange.getResponseBody().flush();
		}
	}

	private static void answer(HttpExchange exchange) throws IOException {
		String path = exchange.getRequestURI().getPath(), method = exchange.getRequestMethod();
		int status = KNOWN.getOrDefault(path, 404);

		exchange.getRequestBody().readAllBytes();
		if (path.equals("/take"))
			write(exchange, method.equals("PUT") ? 201 : 200, "taken".getBytes());
		else if (path.equals("/chunks"))
			chunks(exchange);
		else if (path.equals("/large"))
			write(exchange, 200, new byte[3000000]);
		else if (method.equals("HEAD") || status == 204 || status == 304)
			exchange.sendResponseHeaders(status, NONE);
		else
			write(exchange, status, "hello".getBytes());
		exchange.close();
	}

	public static void main(String[] arguments) throws IOException {
		HttpServer server = HttpServer.create(new InetSocketAddress(8080), 128);

		server.createContext("/", Serve::answer);
		server.setExecutor(Executors.newFixedThreadPool(8));
		server.start();
	}
}
