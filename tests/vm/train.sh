# SPDX-License-Identifier: Apache-2.0
# Sourced by guest scripts: a datagram each millisecond from the far side to ndd0, and for how long they fail to come.
TRAIN_OUT=/run/lab/train.out

start_train() {
	./train receive 9000 >$TRAIN_OUT 2>&1 </dev/null &
	train=$!
	wait_for 5 grep -q receiving $TRAIN_OUT || fail "no train: $(cat $TRAIN_OUT)"
	ip netns exec far ./train send 10.0.0.1 9000 >/dev/null 2>&1 </dev/null &
	train_sender=$!
	disown $train $train_sender
}

# train_told: what the receiver says of the time since it was asked last
train_told() {
	local lines
	lines=$(wc -l <$TRAIN_OUT)
	kill -USR1 $train
	wait_for 5 eval "[ \$(wc -l <$TRAIN_OUT) -gt $lines ]" || fail "the train's receiver does not answer"
	tail -n 1 $TRAIN_OUT
}

# train_gap WHAT: the same, as a step
train_gap() { step "$1: $(train_told)"; }

end_train() { kill -9 $train_sender $train; }
