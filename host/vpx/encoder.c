//go:build cgo && (linux || (windows && vpx))

#include "encoder.h"

#include <stdlib.h>
#include <string.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

struct mf_encoder {
	vpx_codec_ctx_t codec;
	vpx_codec_enc_cfg_t cfg;
	vpx_image_t *img;
	uint32_t *rows;
	int vp9, i444;
	mf_frame out;
};

static const char *said(vpx_codec_ctx_t *c, vpx_codec_err_t err) {
	if (err == VPX_CODEC_OK) return NULL;
	const char *detail = vpx_codec_error_detail(c);
	return detail ? detail : vpx_codec_err_to_string(err);
}

mf_encoder *mf_new(const mf_config *c, const char **error) {
	*error = "out of memory";
	mf_encoder *e = calloc(1, sizeof *e);
	if (!e) return NULL;
	e->vp9 = c->vp9, e->i444 = c->i444;
	vpx_codec_iface_t *f = c->vp9 ? vpx_codec_vp9_cx() : vpx_codec_vp8_cx();
	vpx_codec_err_t err = vpx_codec_enc_config_default(f, &e->cfg, 0);
	if (err) {
		*error = vpx_codec_err_to_string(err);
		free(e);
		return NULL;
	}
	e->cfg.g_w = c->w, e->cfg.g_h = c->h;
	e->cfg.g_threads = c->threads;
	e->cfg.g_profile = c->i444 ? 1 : 0;
	e->cfg.g_timebase.num = 1, e->cfg.g_timebase.den = 90000;
	e->cfg.g_lag_in_frames = 0;
	e->cfg.g_error_resilient = 0;
	e->cfg.rc_end_usage = VPX_CBR;
	e->cfg.rc_target_bitrate = c->kbps;
	e->cfg.rc_min_quantizer = c->min_q, e->cfg.rc_max_quantizer = c->max_q;
	e->cfg.rc_undershoot_pct = 50, e->cfg.rc_overshoot_pct = 50;
	e->cfg.rc_buf_initial_sz = 500, e->cfg.rc_buf_optimal_sz = 600, e->cfg.rc_buf_sz = 1000;
	e->cfg.rc_dropframe_thresh = 0; // frames are skipped before they are encoded
	e->cfg.kf_mode = VPX_KF_DISABLED;
	err = vpx_codec_enc_init(&e->codec, f, &e->cfg, 0);
	if (err) {
		*error = vpx_codec_err_to_string(err);
		free(e);
		return NULL;
	}
	vpx_codec_control(&e->codec, VP8E_SET_CPUUSED, c->vp9 ? c->speed : -c->speed);
	vpx_codec_control(&e->codec, VP8E_SET_MAX_INTRA_BITRATE_PCT, 900);
	if (c->vp9) {
		vpx_codec_control(&e->codec, VP9E_SET_AQ_MODE, 3);
		vpx_codec_control(&e->codec, VP9E_SET_ROW_MT, 1);
		vpx_codec_control(&e->codec, VP9E_SET_TILE_COLUMNS, c->threads > 1);
		vpx_codec_control(&e->codec, VP9E_SET_FRAME_PARALLEL_DECODING, 0);
		vpx_codec_control(&e->codec, VP9E_SET_COLOR_SPACE, VPX_CS_BT_601);
		vpx_codec_control(&e->codec, VP8E_SET_STATIC_THRESHOLD, 1);
	} else {
		vpx_codec_control(&e->codec, VP8E_SET_STATIC_THRESHOLD, 100);
		vpx_codec_control(&e->codec, VP8E_SET_NOISE_SENSITIVITY, 0);
		vpx_codec_control(&e->codec, VP8E_SET_TOKEN_PARTITIONS, c->threads > 1);
	}
	e->img = vpx_img_alloc(NULL, c->i444 ? VPX_IMG_FMT_I444 : VPX_IMG_FMT_I420, c->w, c->h, 32);
	// Two rows of the picture with room for whole groups of three, and one of the source.
	e->rows = calloc(2 * ((size_t)c->w + 4) + 2 * (size_t)c->w + 16, sizeof *e->rows);
	if (!e->img || !e->rows) {
		mf_free(e);
		return NULL;
	}
	return e;
}

void mf_load(mf_encoder *e, const uint32_t *pix, long stride, int w, int h, int scale, int x0, int y0, int x1, int y1) {
	mf_source s = {pix, stride, w, h};
	mf_planes p = {
		e->img->planes[VPX_PLANE_Y], e->img->planes[VPX_PLANE_U], e->img->planes[VPX_PLANE_V],
		e->img->stride[VPX_PLANE_Y], e->img->stride[VPX_PLANE_U],
		(int)e->img->d_w, (int)e->img->d_h, e->i444, e->rows,
	};
	mf_convert(&s, &p, scale, x0, y0, x1, y1);
}

const char *mf_active(mf_encoder *e, uint8_t *map, int rows, int cols) {
	vpx_active_map_t m = {map, (unsigned)rows, (unsigned)cols};
	return said(&e->codec, vpx_codec_control(&e->codec, VP8E_SET_ACTIVEMAP, &m));
}

const char *mf_rate(mf_encoder *e, int kbps) {
	e->cfg.rc_target_bitrate = kbps;
	return said(&e->codec, vpx_codec_enc_config_set(&e->codec, &e->cfg));
}

const char *mf_speed(mf_encoder *e, int speed) {
	return said(&e->codec, vpx_codec_control(&e->codec, VP8E_SET_CPUUSED, e->vp9 ? speed : -speed));
}

const char *mf_encode(mf_encoder *e, int64_t pts, int64_t duration, int key) {
	e->out.size = 0;
	vpx_codec_err_t err = vpx_codec_encode(&e->codec, e->img, pts, (unsigned long)duration, key ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME);
	if (err) return said(&e->codec, err);
	vpx_codec_iter_t it = NULL;
	for (const vpx_codec_cx_pkt_t *p; (p = vpx_codec_get_cx_data(&e->codec, &it));)
		if (p->kind == VPX_CODEC_CX_FRAME_PKT) {
			e->out.data = p->data.frame.buf, e->out.size = p->data.frame.sz;
			e->out.key = (p->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
			return NULL;
		}
	return "no frame came out";
}

const mf_frame *mf_out(const mf_encoder *e) { return &e->out; }

void mf_free(mf_encoder *e) {
	vpx_codec_destroy(&e->codec);
	if (e->img) vpx_img_free(e->img);
	free(e->rows);
	free(e);
}

void mf_plane(mf_encoder *e, int i, uint8_t *to, int w, int h) {
	for (int y = 0; y < h; y++) memcpy(to + (long)y * w, e->img->planes[i] + (long)y * e->img->stride[i], (size_t)w);
}
