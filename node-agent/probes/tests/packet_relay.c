// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Delay, made on purpose: instead of a wire, the two ends of a network have a TUN device each, and
 * a process carries packets from one to the other. It holds each one for a while; some longer, so
 * that later ones overtake them; and delivers some twice. Included by the test, after network.c.
 */

#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <time.h>

#define RELAY_PACKET_SIZE 2048

/* What the relay does; the test may change it while packets come. Of packets with payload only: */
struct relay_settings {
	uint32_t delay_us;	  /* every packet, in either direction */
	uint32_t hold_every;	  /* the client's: each n-th is held longer; 0: none */
	uint32_t hold_us;	  /* by this */
	uint32_t hold_answers;	  /* so many of the server's next ones are held as well */
	uint32_t duplicate_every; /* the client's: each n-th comes twice; 0: none */
	uint32_t held;		  /* told by the relay */
	uint32_t duplicated;
};

struct relay_packet {
	TAILQ_ENTRY(relay_packet) link;
	uint64_t due; /* ns */
	size_t size;
	char data[];
};

TAILQ_HEAD(relay_queue, relay_packet);

struct relay {
	volatile struct relay_settings *settings; /* shared with the relay's process */
	int devices[ENDS];
	pid_t process;
};

static uint64_t relay_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Sorted by when they are due; nearly always the new one is the last. */
static void relay_insert(struct relay_queue *queue, struct relay_packet *packet)
{
	struct relay_packet *before = TAILQ_LAST(queue, relay_queue);

	while (before && before->due > packet->due)
		before = TAILQ_PREV(before, relay_queue, link);
	if (before)
		TAILQ_INSERT_AFTER(queue, before, packet, link);
	else
		TAILQ_INSERT_HEAD(queue, packet, link);
}

static void relay_hold(struct relay_queue *queue, const char *data, size_t size, uint64_t us)
{
	struct relay_packet *packet = malloc(sizeof(*packet) + size);

	if (!packet)
		abort();
	packet->due = relay_now() + us * 1000;
	packet->size = size;
	memcpy(packet->data, data, size);
	relay_insert(queue, packet);
}

/* The options that the kernel sends are constant, so a size says whether there is payload. */
static bool relay_has_payload(size_t size)
{
	return size > 100;
}

static void relay_take_from_client(struct relay *relay, struct relay_queue *queue, const char *data,
				   size_t size, uint32_t *count)
{
	volatile struct relay_settings *settings = relay->settings;
	uint32_t delay = settings->delay_us;

	if (relay_has_payload(size)) {
		(*count)++;
		if (settings->duplicate_every && *count % settings->duplicate_every == 0) {
			settings->duplicated++;
			relay_hold(queue, data, size, delay);
		}
		if (settings->hold_every && *count % settings->hold_every == 0) {
			settings->held++;
			delay += settings->hold_us;
		}
	}
	relay_hold(queue, data, size, delay);
}

static void relay_take_from_server(struct relay *relay, struct relay_queue *queue, const char *data,
				   size_t size)
{
	volatile struct relay_settings *settings = relay->settings;
	uint32_t delay = settings->delay_us;

	if (relay_has_payload(size) && settings->hold_answers) {
		delay += settings->hold_us;
		settings->hold_answers--;
	}
	relay_hold(queue, data, size, delay);
}

static void relay_take(struct relay *relay, enum end from, struct relay_queue *queue,
		       uint32_t *count)
{
	char data[RELAY_PACKET_SIZE];
	ssize_t size;

	while ((size = read(relay->devices[from], data, sizeof(data))) > 0) {
		if (from == CLIENT)
			relay_take_from_client(relay, queue, data, (size_t)size, count);
		else
			relay_take_from_server(relay, queue, data, (size_t)size);
	}
}

/* Delivers what is due. Returns when the next one is, or UINT64_MAX. */
static uint64_t relay_deliver(int device, struct relay_queue *queue)
{
	struct relay_packet *packet;

	while ((packet = TAILQ_FIRST(queue))) {
		if (packet->due > relay_now())
			return packet->due;
		TAILQ_REMOVE(queue, packet, link);
		if (write(device, packet->data, packet->size) < 0 && errno != EIO)
			abort();
		free(packet);
	}
	return UINT64_MAX;
}

static void relay_wait(struct relay *relay, uint64_t until)
{
	struct pollfd devices[ENDS] = {{relay->devices[CLIENT], POLLIN, 0},
				       {relay->devices[SERVER], POLLIN, 0}};
	uint64_t now = relay_now(), wait = until > now ? until - now : 0;
	struct timespec timeout = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)};

	ppoll(devices, ENDS, until == UINT64_MAX ? NULL : &timeout, NULL);
}

/* The relay's process; it ends with the test's. */
static void relay_carry(struct relay *relay)
{
	struct relay_queue queues[ENDS]; /* from each end */
	uint32_t count = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (enum end end = CLIENT; end <= SERVER; end++)
		TAILQ_INIT(&queues[end]);
	for (;;) {
		uint64_t next = UINT64_MAX;

		for (enum end from = CLIENT; from <= SERVER; from++) {
			uint64_t due;

			relay_take(relay, from, &queues[from], &count);
			due = relay_deliver(relay->devices[from == CLIENT ? SERVER : CLIENT],
					    &queues[from]);
			if (due < next)
				next = due;
		}
		relay_wait(relay, next);
	}
}

static int relay_open_device(const struct network *network, enum end end)
{
	struct ifreq request = {.ifr_name = "wire", .ifr_flags = IFF_TUN | IFF_NO_PI};
	int device;

	network_enter(network, end);
	device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_return_code(device, errno);
	assert_return_code(ioctl(device, TUNSETIFF, &request), errno);
	network_leave(network);
	return device;
}

/* Two ends and a relay between them. */
static void relay_make(struct relay *relay, struct network *network)
{
	void *shared = mmap(NULL, sizeof(*relay->settings), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(shared, MAP_FAILED);
	relay->settings = shared;
	network_make_namespaces(network);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		relay->devices[end] = relay_open_device(network, end);
		network_configure(network, end);
	}
	relay->process = fork();
	assert_return_code(relay->process, errno);
	if (relay->process == 0)
		relay_carry(relay);
}

static void relay_free(struct relay *relay)
{
	if (!relay->process) /* it was never made; and 0 would end all of our group */
		return;
	kill(relay->process, SIGKILL);
	waitpid(relay->process, NULL, 0);
	for (enum end end = CLIENT; end <= SERVER; end++)
		close(relay->devices[end]);
	munmap((void *)relay->settings, sizeof(*relay->settings));
}
