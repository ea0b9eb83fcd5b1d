# The same words as ./dev, which does the work.
words := demo test build fuzz bench microbench performance format sanitize tsan arm mutate prove clean help

.DEFAULT_GOAL := help
.PHONY: $(words)
$(words):
	@./dev $@
