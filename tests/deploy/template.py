"""As much of Helm's templates as deploy/helm/skein uses, so that what comes of it can be looked at
where there is no helm. What it does not know is an error."""

import re

import yaml

ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.S)


class Unknown(Exception):
    pass


def tokens_of(text):
    """Texts and actions in turn, white space trimmed where an action says so."""
    out, at, trim = [], 0, False
    for match in ACTION.finditer(text):
        piece = text[at : match.start()]
        if trim:
            piece = piece.lstrip()
        if match.group(1):
            piece = piece.rstrip()
        out.append(("text", piece))
        out.append(("action", match.group(2)))
        at, trim = match.end(), bool(match.group(3))
    out.append(("text", text[at:].lstrip() if trim else text[at:]))
    return out


def parsed(tokens, at=0, inside=False):
    """A list of texts, expressions and (kind, head, body, otherwise)."""
    out = []
    while at < len(tokens):
        kind, text = tokens[at]
        at += 1
        if kind == "text":
            out.append(("text", text))
            continue
        word = text.split(" ", 1)[0]
        if word in ("if", "range", "define"):
            body, at, end = parsed(tokens, at, True)
            otherwise = []
            if end == "else":
                otherwise, at, end = parsed(tokens, at, True)
            out.append((word, text[len(word) :].strip(), body, otherwise))
        elif text in ("else", "end"):
            if not inside:
                raise Unknown(f"{text} without a beginning")
            return out, at, text
        else:
            out.append(("value", text))
    if inside:
        raise Unknown("a block has no end")
    return out, at, None


class Chart:
    def __init__(self, folder, values=None, release="test"):
        self.chart = yaml.safe_load((folder / "Chart.yaml").read_text())
        self.values = yaml.safe_load((folder / "values.yaml").read_text())
        for path, value in (values or {}).items():
            *way, last = path.split(".")
            place = self.values
            for name in way:
                place = place[name]
            if last not in place:
                raise Unknown(f"there is no value {path}")
            place[last] = value
        self.used = set()
        self.top = {"Values": self.values, "Release": {"Name": release}, "Chart": self.chart}
        self.named = {}
        self.files = {}
        for file in sorted((folder / "templates").iterdir()):
            tree, _, _ = parsed(tokens_of(file.read_text()))
            for part in tree:
                if part[0] == "define":
                    self.named[part[1].strip('"')] = part[2]
            self.files[file.name] = [part for part in tree if part[0] != "define"]

    def term(self, text, variables):
        if text.startswith('"') and text.endswith('"'):
            return text[1:-1]
        if text.isdigit():
            return int(text)
        if text.startswith("$"):
            return variables[text]
        if not text.startswith("."):
            raise Unknown(text)
        value = self.top
        for name in filter(None, text.split(".")):
            if name not in value:
                raise Unknown(f"{text} is nowhere")
            value = value[name]
        if text.startswith(".Values."):
            self.used.add(text[len(".Values.") :])
        return value

    def value(self, text, variables):
        out = None
        for i, step in enumerate(part.strip() for part in text.split("|")):
            words = re.findall(r'"[^"]*"|\S+', step)
            if words[0] == "include":
                out = self.render(self.named[words[1].strip('"')], variables)
            elif words[0] == "toYaml":
                out = yaml.safe_dump(self.term(words[1], variables)).rstrip("\n")
            elif words[0] == "nindent":
                pad = " " * int(words[1])
                out = "\n" + "\n".join(pad + line for line in out.splitlines())
            elif words[0] == "quote":
                out = '"' + str(out).replace('"', '\\"') + '"'
            elif i == 0 and len(words) == 1:
                out = self.term(words[0], variables)
            else:
                raise Unknown(step)
        return out

    def render(self, tree, variables):
        out = ""
        for part in tree:
            if part[0] == "text":
                out += part[1]
            elif part[0] == "value":
                value = self.value(part[1], variables)
                if isinstance(value, (dict, list)):
                    raise Unknown(f"{part[1]} is no text")
                out += str(value).lower() if isinstance(value, bool) else str(value)
            elif part[0] == "if":
                body = part[2] if self.value(part[1], variables) else part[3]
                out += self.render(body, variables)
            else:
                names, of = part[1].split(":=")
                name, value = (each.strip() for each in names.split(","))
                for key, each in self.value(of.strip(), variables).items():
                    out += self.render(part[2], {**variables, name: key, value: each})
        return out

    def manifests(self):
        out = []
        for name, tree in self.files.items():
            text = self.render(tree, {})
            if name.endswith(".yaml"):
                out += [each for each in yaml.safe_load_all(text) if each]
        return out
