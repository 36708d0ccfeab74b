// The screen of a Wayland desktop, for the host: one PipeWire stream as frames
// in shared memory.
//
//	cast NODE   3: the portal's PipeWire connection   4: a memfd, sealed against shrinking
//
// It is a program of its own because the host is one static file and PipeWire's
// library is the system's: where it is missing only this child fails. It copies
// a frame when the host has asked for one, by a byte on standard input, and the
// picture has changed; then it writes one record to standard output and leaves
// the memory alone until it is asked again. What changes meanwhile is merged,
// so a slow host sees fewer frames and never a torn one. It ends with its input.
//
// A record is eight 32-bit words in the machine's order, the first its kind:
//
//	1 frame    width height x y w h   of the picture, and what may have changed in it
//	2 cursor   width height hotX hotY then width*height premultiplied 0xAARRGGBB; 0 x 0: hidden
//	3 pointer  x y seen               its hot spot in the picture, if it is in it
//
// A picture is width*height words 0x??RRGGBB, rows from the top, no padding.
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#include <pipewire/pipewire.h>
#include <spa/param/video/format-utils.h>

enum { FRAME = 1, CURSOR = 2, POINTER = 3 };
enum { REMOTE = 3, MEMORY = 4 };
enum { MAX_SIDE = 16384, MAX_PIXELS = 64 << 20, MAX_CURSOR = 256, MAX_DAMAGE = 16 };

struct record {
	uint32_t kind;
	int32_t v[7];
};

struct box {
	int32_t x0, y0, x1, y1;
};

static struct {
	struct pw_main_loop *loop;
	struct pw_stream *stream;
	struct spa_video_info_raw format;
	struct pw_buffer *held; // the newest picture, not shown yet
	struct box damage;      // what may differ in it from the one shown last
	bool wanted;            // the host waits for a frame
	uint32_t *map;
	size_t mapped;
	struct record pointer;
	uint32_t shape[MAX_CURSOR * MAX_CURSOR];
} cast;

// fail ends the child; the host shows nothing of the text but its developers.
_Noreturn static void fail(const char *what, const char *why)
{
	fprintf(stderr, "cast: %s: %s\n", what, why ? why : "?");
	exit(1);
}

static void put(const void *data, size_t size)
{
	const char *p = data;
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, p, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			exit(0); // the host is gone
		p += n;
		size -= (size_t)n;
	}
}

static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

static void add_damage(int32_t x, int32_t y, int32_t w, int32_t h)
{
	struct box *d = &cast.damage;
	struct box add = { most(x, 0), most(y, 0), least(x + w, (int32_t)cast.format.size.width), least(y + h, (int32_t)cast.format.size.height) };
	if (add.x0 >= add.x1 || add.y0 >= add.y1)
		return;
	if (d->x0 >= d->x1) {
		*d = add;
		return;
	}
	d->x0 = least(d->x0, add.x0);
	d->y0 = least(d->y0, add.y0);
	d->x1 = most(d->x1, add.x1);
	d->y1 = most(d->y1, add.y1);
}

static void all_damaged(void) { add_damage(0, 0, MAX_SIDE, MAX_SIDE); }

// swapped tells whether red and blue stand the other way round than in 0x??RRGGBB.
static bool swapped(uint32_t format) { return format == SPA_VIDEO_FORMAT_RGBx || format == SPA_VIDEO_FORMAT_RGBA; }

static uint32_t swap(uint32_t p) { return (p & 0xff00ff00u) | (p >> 16 & 0xff) | (p & 0xff) << 16; }

// room makes the shared memory as large as a picture; it never shrinks.
static void room(size_t size)
{
	if (size <= cast.mapped)
		return;
	if (ftruncate(MEMORY, (off_t)size) < 0)
		fail("shared memory", strerror(errno));
	if (cast.map)
		munmap(cast.map, cast.mapped);
	cast.map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, MEMORY, 0);
	if (cast.map == MAP_FAILED)
		fail("shared memory", strerror(errno));
	cast.mapped = size;
}

// has_picture tells whether a buffer brings pixels, all of them within its memory.
static bool has_picture(const struct spa_buffer *b)
{
	uint64_t w = cast.format.size.width, h = cast.format.size.height;
	if (b->n_datas < 1 || !b->datas[0].data || !b->datas[0].chunk || w == 0 || h == 0)
		return false;
	const struct spa_data *d = &b->datas[0];
	const struct spa_meta_header *head = spa_buffer_find_meta_data(b, SPA_META_Header, sizeof(*head));
	if (d->chunk->size == 0 || d->chunk->flags & SPA_CHUNK_FLAG_CORRUPTED || (head && head->flags & SPA_META_HEADER_FLAG_CORRUPTED))
		return false;
	if (d->chunk->stride != 0 && d->chunk->stride < (int64_t)w * 4)
		return false;
	uint64_t stride = d->chunk->stride ? (uint64_t)d->chunk->stride : w * 4;
	return d->chunk->offset + stride * (h - 1) + w * 4 <= d->maxsize;
}

// show gives the newest picture to the host, once both are there.
static void show(void)
{
	struct box d = cast.damage;
	if (!cast.wanted || !cast.held)
		return;
	if (d.x0 < d.x1) {
		const struct spa_data *data = &cast.held->buffer->datas[0];
		size_t w = cast.format.size.width, h = cast.format.size.height;
		size_t stride = data->chunk->stride ? (size_t)data->chunk->stride : w * 4;
		bool turn = swapped(cast.format.format);
		room(w * h * 4);
		for (int32_t y = d.y0; y < d.y1; y++) {
			const uint8_t *row = (const uint8_t *)data->data + data->chunk->offset + (size_t)y * stride;
			uint32_t *to = cast.map + (size_t)y * w;
			memcpy(to + d.x0, row + (size_t)d.x0 * 4, (size_t)(d.x1 - d.x0) * 4);
			if (turn)
				for (int32_t x = d.x0; x < d.x1; x++)
					to[x] = swap(to[x]);
		}
		struct record r = { FRAME, { (int32_t)w, (int32_t)h, d.x0, d.y0, d.x1 - d.x0, d.y1 - d.y0 } };
		put(&r, sizeof(r));
		cast.wanted = false;
		cast.damage = (struct box){ 0 };
	}
	pw_stream_queue_buffer(cast.stream, cast.held);
	cast.held = NULL;
}

static void tell_shape(const struct spa_meta_cursor *c, size_t size)
{
	if (c->bitmap_offset < sizeof(*c) || c->bitmap_offset + sizeof(struct spa_meta_bitmap) > size)
		return; // the shape is what it was
	const struct spa_meta_bitmap *b = SPA_PTROFF(c, c->bitmap_offset, const struct spa_meta_bitmap);
	struct record r = { CURSOR, { 0 } };
	uint64_t w = b->size.width, h = b->size.height, at = (uint64_t)c->bitmap_offset + b->offset;
	if (b->offset >= sizeof(*b) && w > 0 && h > 0 && w <= MAX_CURSOR && h <= MAX_CURSOR && b->stride >= (int64_t)w * 4 &&
	    at + (uint64_t)b->stride * (h - 1) + w * 4 <= size) {
		r = (struct record){ CURSOR, { (int32_t)w, (int32_t)h, c->hotspot.x, c->hotspot.y } };
		for (uint64_t y = 0; y < h; y++)
			for (uint64_t x = 0; x < w; x++) {
				uint8_t p[4];
				memcpy(p, SPA_PTROFF(c, at + y * (uint64_t)b->stride + x * 4, uint8_t), 4);
				uint32_t v;
				switch (b->format) {
				case SPA_VIDEO_FORMAT_RGBA: v = (uint32_t)p[3] << 24 | p[0] << 16 | p[1] << 8 | p[2]; break;
				case SPA_VIDEO_FORMAT_BGRA: v = (uint32_t)p[3] << 24 | p[2] << 16 | p[1] << 8 | p[0]; break;
				case SPA_VIDEO_FORMAT_ARGB: v = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; break;
				case SPA_VIDEO_FORMAT_ABGR: v = (uint32_t)p[0] << 24 | p[3] << 16 | p[2] << 8 | p[1]; break;
				default: return; // no order that we know
				}
				cast.shape[y * w + x] = v;
			}
	}
	put(&r, sizeof(r));
	put(cast.shape, (size_t)r.v[0] * (size_t)r.v[1] * 4);
}

static void tell_pointer(const struct spa_buffer *b)
{
	const struct spa_meta *m = spa_buffer_find_meta(b, SPA_META_Cursor);
	if (!m || !m->data || m->size < sizeof(struct spa_meta_cursor))
		return;
	const struct spa_meta_cursor *c = m->data;
	struct record r = { POINTER, { 0 } };
	if (spa_meta_cursor_is_valid(c)) {
		r = (struct record){ POINTER, { c->position.x, c->position.y, 1 } };
		tell_shape(c, m->size);
	}
	if (memcmp(&r, &cast.pointer, sizeof(r)) == 0)
		return;
	cast.pointer = r;
	put(&r, sizeof(r));
}

static void take_damage(const struct spa_buffer *b)
{
	const struct spa_meta *m = spa_buffer_find_meta(b, SPA_META_VideoDamage);
	const struct spa_meta_region *r;
	bool told = false;
	if (m)
		spa_meta_for_each(r, m) {
			if (!spa_meta_region_is_valid(r))
				break;
			told = true;
			if (r->region.size.width <= MAX_SIDE && r->region.size.height <= MAX_SIDE && abs(r->region.position.x) <= MAX_SIDE && abs(r->region.position.y) <= MAX_SIDE)
				add_damage(r->region.position.x, r->region.position.y, (int32_t)r->region.size.width, (int32_t)r->region.size.height);
			else
				all_damaged();
		}
	if (!told)
		all_damaged();
}

static void on_process(void *data)
{
	struct pw_buffer *b;
	(void)data;
	while ((b = pw_stream_dequeue_buffer(cast.stream))) {
		tell_pointer(b->buffer);
		if (!has_picture(b->buffer)) {
			pw_stream_queue_buffer(cast.stream, b);
			continue;
		}
		take_damage(b->buffer);
		if (cast.held)
			pw_stream_queue_buffer(cast.stream, cast.held);
		cast.held = b;
	}
	show();
}

static void on_remove_buffer(void *data, struct pw_buffer *b)
{
	(void)data;
	if (cast.held == b)
		cast.held = NULL;
}

static void on_param_changed(void *data, uint32_t id, const struct spa_pod *param)
{
	(void)data;
	if (id != SPA_PARAM_Format || !param)
		return;
	if (spa_format_video_raw_parse(param, &cast.format) < 0)
		fail("the stream's format", "unreadable");
	uint64_t w = cast.format.size.width, h = cast.format.size.height;
	if (w < 1 || h < 1 || w > MAX_SIDE || h > MAX_SIDE || w * h > MAX_PIXELS)
		fail("the stream's size", "too large");
	cast.damage = (struct box){ 0 };
	all_damaged();
	uint8_t space[1024];
	struct spa_pod_builder p = SPA_POD_BUILDER_INIT(space, sizeof(space));
	const struct spa_pod *params[4];
	params[0] = spa_pod_builder_add_object(&p, SPA_TYPE_OBJECT_ParamBuffers, SPA_PARAM_Buffers,
		SPA_PARAM_BUFFERS_buffers, SPA_POD_CHOICE_RANGE_Int(4, 3, 16),
		SPA_PARAM_BUFFERS_blocks, SPA_POD_Int(1),
		SPA_PARAM_BUFFERS_dataType, SPA_POD_CHOICE_FLAGS_Int(1 << SPA_DATA_MemFd | 1 << SPA_DATA_MemPtr));
	params[1] = spa_pod_builder_add_object(&p, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta,
		SPA_PARAM_META_type, SPA_POD_Id(SPA_META_Header),
		SPA_PARAM_META_size, SPA_POD_Int(sizeof(struct spa_meta_header)));
	params[2] = spa_pod_builder_add_object(&p, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta,
		SPA_PARAM_META_type, SPA_POD_Id(SPA_META_VideoDamage),
		SPA_PARAM_META_size, SPA_POD_CHOICE_RANGE_Int(sizeof(struct spa_meta_region) * MAX_DAMAGE,
			sizeof(struct spa_meta_region), sizeof(struct spa_meta_region) * MAX_DAMAGE));
#define CURSOR_META(side) (int)(sizeof(struct spa_meta_cursor) + sizeof(struct spa_meta_bitmap) + (side) * (side) * 4)
	params[3] = spa_pod_builder_add_object(&p, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta,
		SPA_PARAM_META_type, SPA_POD_Id(SPA_META_Cursor),
		SPA_PARAM_META_size, SPA_POD_CHOICE_RANGE_Int(CURSOR_META(MAX_CURSOR), CURSOR_META(1), CURSOR_META(MAX_CURSOR)));
	pw_stream_update_params(cast.stream, params, 4);
}

static void on_state_changed(void *data, enum pw_stream_state old, enum pw_stream_state state, const char *error)
{
	(void)data;
	(void)old;
	if (state == PW_STREAM_STATE_ERROR)
		fail("the stream", error);
	if (state == PW_STREAM_STATE_UNCONNECTED)
		fail("the stream", "it ended");
}

static const struct pw_stream_events stream_events = {
	PW_VERSION_STREAM_EVENTS,
	.state_changed = on_state_changed,
	.param_changed = on_param_changed,
	.remove_buffer = on_remove_buffer,
	.process = on_process,
};

static void on_core_error(void *data, uint32_t id, int seq, int res, const char *message)
{
	(void)data;
	(void)seq;
	(void)res;
	if (id == PW_ID_CORE)
		fail("PipeWire", message);
}

static const struct pw_core_events core_events = { PW_VERSION_CORE_EVENTS, .error = on_core_error };

static void on_asked(void *data, int fd, uint32_t mask)
{
	char asked[64];
	(void)data;
	(void)mask;
	ssize_t n = read(fd, asked, sizeof(asked));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		pw_main_loop_quit(cast.loop);
		return;
	}
	cast.wanted = true;
	show();
}

int main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc != 2)
		fail("usage", "cast NODE");
	uint32_t node = (uint32_t)strtoul(argv[1], NULL, 10);
	pw_init(NULL, NULL);
	cast.loop = pw_main_loop_new(NULL);
	struct pw_context *context = cast.loop ? pw_context_new(pw_main_loop_get_loop(cast.loop), NULL, 0) : NULL;
	struct pw_core *core = context ? pw_context_connect_fd(context, REMOTE, NULL, 0) : NULL;
	if (!core)
		fail("connect to PipeWire", strerror(errno));
	struct spa_hook core_hook, stream_hook;
	pw_core_add_listener(core, &core_hook, &core_events, NULL);
	// When the monitor goes, no other source may be shown in its place: not a camera.
	cast.stream = pw_stream_new(core, "mainforte", pw_properties_new(
		PW_KEY_MEDIA_TYPE, "Video", PW_KEY_MEDIA_CATEGORY, "Capture", PW_KEY_MEDIA_ROLE, "Screen",
		PW_KEY_NODE_DONT_RECONNECT, "true", NULL));
	if (!cast.stream)
		fail("make a stream", strerror(errno));
	pw_stream_add_listener(cast.stream, &stream_hook, &stream_events, NULL);
	uint8_t space[1024];
	struct spa_pod_builder p = SPA_POD_BUILDER_INIT(space, sizeof(space));
	// No modifiers are named, so a compositor gives memory, not a graphics card's.
	const struct spa_pod *params[1] = { spa_pod_builder_add_object(&p, SPA_TYPE_OBJECT_Format, SPA_PARAM_EnumFormat,
		SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_video),
		SPA_FORMAT_mediaSubtype, SPA_POD_Id(SPA_MEDIA_SUBTYPE_raw),
		SPA_FORMAT_VIDEO_format, SPA_POD_CHOICE_ENUM_Id(5, SPA_VIDEO_FORMAT_BGRx,
			SPA_VIDEO_FORMAT_BGRx, SPA_VIDEO_FORMAT_BGRA, SPA_VIDEO_FORMAT_RGBx, SPA_VIDEO_FORMAT_RGBA),
		SPA_FORMAT_VIDEO_size, SPA_POD_CHOICE_RANGE_Rectangle(&SPA_RECTANGLE(1920, 1080), &SPA_RECTANGLE(1, 1), &SPA_RECTANGLE(MAX_SIDE, MAX_SIDE)),
		SPA_FORMAT_VIDEO_framerate, SPA_POD_CHOICE_RANGE_Fraction(&SPA_FRACTION(60, 1), &SPA_FRACTION(0, 1), &SPA_FRACTION(240, 1))) };
	if (pw_stream_connect(cast.stream, PW_DIRECTION_INPUT, node, PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS, params, 1) < 0)
		fail("connect the stream", strerror(errno));
	pw_loop_add_io(pw_main_loop_get_loop(cast.loop), STDIN_FILENO, SPA_IO_IN | SPA_IO_HUP, false, on_asked, NULL);
	pw_main_loop_run(cast.loop);
	return 0;
}
