# SPDX-License-Identifier: Apache-2.0
# Short names for what the scripts and SwiftPM do; nothing here is needed to build.
.PHONY: help build demo test format lint fuzz chaos origins

help: #? this list
	@sed -n 's/^\([a-z]*\):.*#? \(.*\)/  \1\t\2/p' Makefile

build: #? a release build of gateway, client and origin
	sh scripts/prepare.sh
	swift build -c release

demo: #? run the gateway in front of three origins of its own
	sh scripts/demo.sh

test: #? all tests
	sh scripts/test.sh

format: #? format the sources
	swift format -i --parallel -r Sources Tests Package.swift

lint: #? check the format
	swift format lint --strict --parallel -r Sources Tests Package.swift

fuzz: #? fuzz each parser for a minute
	sh Tests/Fuzz/run.sh 60

chaos: #? break clients and servers at any byte, for HOURS=1 under each sanitizer
	sh scripts/chaos.sh $$(( $${HOURS:-1} * 3600 ))

origins: build #? run three origins on ports 9001 to 9003, and the gateway of config/three-origins.yaml in front
	@trap 'kill 0' INT TERM EXIT; \
	for n in 1 2 3; do .build/release/origin --port 900$$n --name origin-$$n & done; \
	.build/release/gateway --config config/three-origins.yaml --log proxy_log.txt
