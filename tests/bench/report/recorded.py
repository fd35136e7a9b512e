# SPDX-License-Identifier: Apache-2.0
"""Figures as benches leave them, for the report's own test: (target, run.json, figures.json)."""


def figure(name, unit, n, net, **more):
    user = more.get("user", net)
    return {"name": name, "unit": unit, "n": n, "user": user, "kernel": net - user, "locked": 0, "fences": 0, "mmio_read": 0,
            "mmio_write": 0, "system_calls": 0, "idle": 0, "idle_insns": 0, "net": net, **more}


def about(boots=1, iommu="pt", time="2026-11-26T04:00:00Z", kernel="6.12.117+deb12-amd64"):
    return {"suite": "//tests/bench:x", "kernel": kernel, "nics": ["e1000e", "e1000e"], "iommu": iommu,
            "qemu": "QEMU emulator version 10.0.2 (Debian)", "boots": boots, "time": time}


SMALL = [figure("signal_pairs_udp_w1", "pair", 5120, 147000000, user=5000000, system_calls=20480, spread_pct=0.1),
         figure("signal_pairs_udd_w1", "pair", 20480, 25600000, mmio_write=42000, spread_pct=0.05),
         figure("signal_pairs_udd_w32", "pair", 20480, 8192000, mmio_write=1900, spread_pct=0.2),
         figure("signal_pairs_udd_w32_checked", "pair", 512, 300000),
         figure("signal_pairs_udd_alone_w32", "pair", 96, 40000)]

FULL = SMALL + [figure("signal_pairs_udp_w32", "pair", 5120, 99000000, user=1600000), figure("signal_pairs_dpdk_w1", "pair", 20480, 22000000),
                figure("signal_pairs_dpdk_w32", "pair", 20480, 13300000), figure("signal_pairs_udd_w32_s1458", "pair", 20480, 9000000),
                figure("signal_pairs_udd_w32_s256", "pair", 20480, 8400000)]

RUNS = [
    ("signal_pairs_6_12", about(), SMALL),
    ("signal_pairs_full_6_12", about(boots=5), FULL),
    ("tunnel_tcp_6_1", about(kernel="6.1.0-56-amd64", time="2026-11-20T04:00:00Z"),
     [figure("bare_in", "MB", 64, 64 * 2170000), figure("tunnel_in", "MB", 64, 64 * 1130000), figure("bare_round", "round", 2000, 87000000)]),
    ("scaling_6_12", about(),
     [figure(f"pool_{n}", "pair", 20480, 8000000 + n) for n in (256, 1024, 4096, 16384)] + [figure("ports_2", "pair", 20480, 8000000)]),
    ("latency_6_12", about(), []),
]
