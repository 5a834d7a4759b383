# The few recipes; each is a script that can be run by itself.
.PHONY: demo test lint bench qgis-plugin install dist deb setup setup-cuda gpu-check clean

# Segments the scene that comes with rs-seg; see demo-out/ afterwards.
demo: setup
	scripts/demo

test: setup
	scripts/test

lint: setup
	scripts/lint

# A table of figures, and criterion's for the parts; PEERS=PYTHON has the programs to compare with, EAGER=COMMAND
# prints the seconds of a forward pass (benches/figures.py --help). About an hour.
bench: setup
	scripts/bench

# The plugin for "Install from ZIP" in QGIS: target/rs_seg-VERSION.zip.
qgis-plugin: setup
	scripts/qgis-plugin

# The program with its libtorch, to PREFIX (/usr/local); where there is a cargo it is built first.
install:
	PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" scripts/install

# The same as an archive that can be unpacked anywhere, and as a Debian package.
dist: setup
	scripts/dist
deb: setup
	scripts/dist deb

# Debian packages and libtorch; does nothing where both are there.
setup:
	scripts/setup

# libtorch's CUDA part, for machines with an NVIDIA GPU: 2.5 GB to fetch.
setup-cuda:
	scripts/setup-cuda

# Runs the network on cuda:0 and prints a table; without a GPU the table says that nothing was run.
gpu-check: setup
	scripts/gpu-check

# Leaves libtorch, which is long to fetch: remove .libtorch and .libtorch-cuda by hand.
clean:
	cargo clean
	rm -rf demo-out
