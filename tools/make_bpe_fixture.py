#!/usr/bin/env python3
"""A small byte pair vocabulary in the manner of Qwen2 and the ids it gives, for tests/text.

    tools/make_bpe_fixture.py tests/fixtures/tokenizer

Writes qwen2_small.json (as Hugging Face's tokenizers library writes it) and qwen2_small.jsonl: for
each text, base64, its ids with special tokens taken for tokens ("ids") and for text ("plain").
The encoder here is the definition and nothing more: the pattern runs in the module `regex` (Debian's
python3-regex), merging looks for the best pair again and again. It shares nothing with src/text.
"""
import base64
import json
import random
import sys
import unicodedata
from pathlib import Path

import regex

PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
           r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPLIT = regex.compile(PATTERN)
MERGES = 900

# Not special to the file's author, but to be treated so by its looks: <|fim_prefix|>.
ADDED = [("<|endoftext|>", True), ("<|im_start|>", True), ("<|im_end|>", True),
         ("<tool_call>", False), ("</tool_call>", False), ("<|fim_prefix|>", False)]

TRAINING = """
The river was quiet that morning, and the boats lay where they had been left the evening before.
"You're late," said the ferryman; "we'd have gone without you." I told him that I'd walked, that it
wasn't far, and that he'll see me again tomorrow. It's 7:45, he said, and the tide won't wait.
def area(width, height):
    if width < 0 or height < 0:
        raise ValueError("negative")
    return width * height


for (size_t i = 0; i < 1024; ++i) {
        total += values[i] * weights[i];
}
A state is a value: it can be copied, compared, saved and sent. The answer does not depend on what
else is being computed, nor on how many threads there are. Costs: 12.50 + 3.75 = 16.25 (in 2024).
今天的天气很好，我们去公园散步吧。他说：“明天会下雨。”我觉得不会。数字一二三四五。
日本語の文章も少し入れておきます。これはテストです。ありがとうございます。
Привет, как дела? Сегодня хорошая погода, и мы пойдём гулять в парк.
Où est la bibliothèque? Déjà vu, naïve, façade, Übergrößenträger, mañana, coração.
한국어 문장도 있습니다. 오늘은 날씨가 좋네요. مرحبا بالعالم. שלום עולם. नमस्ते दुनिया।
😀 😀😀 🎉 👍🏽 👨‍👩‍👧 — “quotes” … and • bullets\t\ttabs\n\n\n\nnew lines\r\n\r\nof two kinds.
"""

TEXTS = [
    "", " ", "a", "Hello, world!", "  two spaces", "trailing  ", "   three then word", "tab\tword",
    "it's we're I've I'm they'll he'd don't", "IT'S WE'RE I'VE I'M THEY'LL HE'D DON'T",
    "it'S 'Re 'vE 'lL 'Ll 'D", "'s's's", "''s", "'", "'x", "'l", "'r", "it'\u017f", "'\u017f\u017f",
    "'\u212a", "a'sb", " 's", "1'd", "o'clock rock'n'roll", "2024", "12.50", "3,141,592", "a1b2", "½ ² ⅷ ٣",
    "x=1+2;", "!!!", " !!!", "  !!!", "!!!\n\n", "!!! \n", "...\r\n\r\nword", " -\n", "#!/bin/sh\n",
    "\n", "\n\n", "\n\n\n", " \n", "\n ", " \n \n ", "\n  x", "\n\n  x", "a \n b", "a\n\n b", "\r\n",
    "\r\r\n\n", "x\r\n  y", "\t\n\t\t\nz", "   \n", "   \n   ", "\u3000\u3000中", "\u00a0a", "\u00a0 a",
    "\u00a0\u00a0!", " \u00a0!", "\u2028x", "\u2029\n", "\u0085 a", "\u200ba", "a\u200bb", "\ufeffBOM",
    "\v\fa", "今天的天气很好，我们去公园。", "中文 和 English 混合123", "日本語です。", "한국어 문장",
    "Привет, как дела?", "שלום עולם", "مرحبا بالعالم", "नमस्ते", "ไทย", "ქართული",
    "😀", " 😀", "😀😀 a", "👨‍👩‍👧", "👍🏽!", "🇨🇳", "e\u0301", "é", "E\u0301te\u0301", "n\u0303 ñ", "\u0301",
    " \u0301", "a\u0323\u0307", "a\u0307\u0323", "q\u0307\u0323", "\u1100\u1161\u11a8", "각", "\u212b \u2126", "\u0344",
    "\u0958", "\ufb01 ﬁ ﬀ", "ß ẞ", "İi ı", "ǅ", "ʰ", "٠١٢", "𝔘𝔫𝔦", "𐍈", "\U0010ffff", "\ue000", "\u0378",
    "\0", "\x01\x02 \x7f", "a\0b", "<|endoftext|>", "<|im_start|>user\nHi<|im_end|>\n",
    "a<|im_end|>b <|im_end|> c", "<|im_end|", "<|im_end", "<<|im_end|>>", "<|im_<|im_end|>end|>",
    "<|IM_END|>", "<tool_call>{}</tool_call>", " <tool_call> ", "<|fim_prefix|>def", "<|unknown|>",
    "e<|im_end|>\u0301", "e<tool_call>\u0301", "if (a<b) {\n\treturn  a;\n}\n", "    indented\n        more\n",
    "word" * 40, " " * 100, "\n" * 50, "a" * 70 + "b" * 70, "中" * 60, "😀" * 30, "' " * 20, "'S" * 30, "1" * 40,
    "The river was quiet that morning.", "the ferryman; \"we'd have gone", "for (size_t i = 0; i < 1024; ++i) {",
]

PIECES = ["a", "Word", " the", "'", "'s", "'LL", "'\u017f", "1", "42", "½", " ", "  ", "\n", "\r\n", "\t",
          "!", "--", ".", "é", "e\u0301", "\u0301", "中", "。", "😀", "\u3000", "\u00a0", "\u200b", "<|im_end|>", "<tool_call>",
          "<|", "|>", "ß", "Д", "\u1100\u1161", "\u0085", "_", "<", ">"]


def alphabet():
    """byte -> letter, as GPT-2 has it."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    out = {b: chr(b) for b in plain}
    other = 256
    for b in range(256):
        if b not in out:
            out[b] = chr(other)
            other += 1
    return out


LETTER = alphabet()


def letters(text):
    return [LETTER[b] for b in text.encode()]


def join(word, left, right):
    out, n = [], 0
    while n < len(word):
        if n + 1 < len(word) and word[n] == left and word[n + 1] == right:
            out.append(left + right)
            n += 2
        else:
            out.append(word[n])
            n += 1
    return out


def train():
    words = {}
    for word in SPLIT.findall(unicodedata.normalize("NFC", TRAINING)):
        words[word] = words.get(word, 0) + 1
    parts = {word: letters(word) for word in words}
    merges = []
    while len(merges) < MERGES:
        counts = {}
        for word, part in parts.items():
            for pair in zip(part, part[1:]):
                counts[pair] = counts.get(pair, 0) + words[word]
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        parts = {word: join(part, *best) for word, part in parts.items()}
    return merges


def vocabulary(merges):
    vocab = {}
    for letter in sorted(LETTER.values()):
        vocab[letter] = len(vocab)
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    return vocab


def encode_words(text, vocab, ranks):
    ids = []
    for match in SPLIT.finditer(text):
        word = letters(match.group())
        while True:
            pairs = [(ranks[pair], n) for n, pair in enumerate(zip(word, word[1:])) if pair in ranks]
            if not pairs:
                break
            _, n = min(pairs)
            word[n:n + 2] = [word[n] + word[n + 1]]
        ids += [vocab[part] for part in word]
    return ids


def encode(text, vocab, ranks, added):
    ids = []
    at = 0
    names = sorted(added, key=len, reverse=True)
    found = regex.compile("|".join(map(regex.escape, names))).finditer(text) if names else ()
    for match in found:
        ids += encode_words(unicodedata.normalize("NFC", text[at:match.start()]), vocab, ranks)
        ids.append(added[match.group()])
        at = match.end()
    return ids + encode_words(unicodedata.normalize("NFC", text[at:]), vocab, ranks)


def main():
    folder = Path(sys.argv[1])
    merges = train()
    vocab = vocabulary(merges)
    added = {name: len(vocab) + n for n, (name, _) in enumerate(ADDED)}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": added[name], "content": name, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": special} for name, special in ADDED],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
             "use_regex": False}]},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
                           "use_regex": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
                    "use_regex": False},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False,
                  "byte_fallback": False, "ignore_merges": False, "vocab": vocab,
                  "merges": [" ".join(pair) for pair in merges]},
    }
    (folder / "qwen2_small.json").write_text(
        json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")

    rng = random.Random(7)
    texts = TEXTS + ["".join(rng.choices(PIECES, k=rng.randint(2, 14))) for _ in range(150)]
    ranks = {pair: n for n, pair in enumerate(merges)}
    plain_added = {name: added[name] for name in ("<tool_call>", "</tool_call>")}
    with open(folder / "qwen2_small.jsonl", "w", encoding="ascii") as out:
        for text in texts:
            line = {"text": base64.b64encode(text.encode()).decode(),
                    "ids": encode(text, vocab, ranks, added),
                    "plain": encode(text, vocab, ranks, plain_added)}
            out.write(json.dumps(line, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
