"""The embedded model in torch: a small decoder with convolutions and a copy head.

`harness/embedded/network.py` computes the same formulas with numpy, from the same array names.

Sources: rotary positions (Su et al. 2021), RMSNorm (Zhang & Sennrich 2019), SwiGLU (Shazeer 2020),
query-key norm (Henry et al. 2020), turns that are read as a whole (Raffel et al. 2020: "prefix
LM"), exact matches as features (Chen et al. 2017), short causal convolutions before attention and
feed-forward (Allen-Zhu 2025, "Canon layers"), pointer sentinel mixture (Merity et al. 2016), keys
that begin equal to queries (Trockman & Kolter 2023, "Mimetic initialization").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

CONV_WIDTH = 4
N_MARKS = 2
"""What a token may be besides itself: see `harness.embedded.tokenizer.Tokenizer.marks`."""
N_FACTS = 40
"""At least as many as `wordings/` has."""


@dataclass(frozen=True)
class Shape:
    """The sizes of the network, as they stand in `config.json`."""

    d_model: int = 256
    n_layers: int = 4
    n_heads: int = 4
    d_ff: int = 512
    vocab_size: int = 3072
    d_copy: int = 128
    rope_base: float = 10000.0
    rope_share: float = 0.5
    max_tokens: int = 1152
    conv_width: int = CONV_WIDTH


@dataclass(frozen=True)
class Layout:
    """How rows of tokens hang together.

    `marks` (rows, n), of the tokenizer's; `positions` (rows, n); `seen` (rows, n, n), whether a
    token (second) sees another (third); `kept` (width - 1, rows, n), whether the token so many
    places before is of the same turn.
    """

    marks: Tensor
    positions: Tensor
    seen: Tensor
    kept: Tensor


class Layer(nn.Module):
    """Attention and feed-forward, each behind a norm and a short convolution."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d = shape.d_model
        self.n_heads = shape.n_heads
        self.attn_norm = nn.Parameter(torch.ones(d))
        self.attn_conv = nn.Parameter(torch.randn(CONV_WIDTH, d) * 0.1)
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.q_norm = nn.Parameter(torch.ones(d // shape.n_heads))
        self.k_norm = nn.Parameter(torch.ones(d // shape.n_heads))
        self.out = nn.Linear(d, d, bias=False)
        self.mlp_norm = nn.Parameter(torch.ones(d))
        self.mlp_conv = nn.Parameter(torch.randn(CONV_WIDTH, d) * 0.1)
        self.gate_up = nn.Linear(d, 2 * shape.d_ff, bias=False)
        self.down = nn.Linear(shape.d_ff, d, bias=False)
        nn.init.normal_(self.qkv.weight, std=d**-0.5)
        with torch.no_grad():  # half of the heads begin by looking for what is alike
            q, k, _ = self.qkv.weight.chunk(3)
            k[: d // 2].copy_(q[: d // 2])
        nn.init.normal_(self.gate_up.weight, std=d**-0.5)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.down.weight)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, seen: Tensor, kept: Tensor) -> Tensor:
        """`x` of shape (batch, tokens, d_model), one layer further."""
        b, t, d = x.shape
        h = convolved(norm(x, self.attn_norm), self.attn_conv, kept)
        q, k, v = self.qkv(h).view(b, t, 3, self.n_heads, d // self.n_heads).permute(2, 0, 3, 1, 4)
        q, k = rotated(norm(q, self.q_norm), cos, sin), rotated(norm(k, self.k_norm), cos, sin)
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        x = x + self.out(read.transpose(1, 2).reshape(b, t, d))
        h = convolved(norm(x, self.mlp_norm), self.mlp_conv, kept)
        gate, up = self.gate_up(h).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Network(nn.Module):
    """The decoder, whose next token is of a mixture of the vocabulary and of tokens read."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d, c = shape.d_model, shape.d_copy
        self.shape = shape
        self.embed = nn.Embedding(shape.vocab_size, d)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.marks = nn.Parameter(torch.randn(N_MARKS, d) * 0.3)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.n_layers))
        self.norm = nn.Parameter(torch.ones(d))
        self.copy_query, self.copy_key, self.copy_key_before = (
            nn.Linear(d, c, bias=False) for _ in range(3)
        )
        for part in (self.copy_query, self.copy_key, self.copy_key_before):
            nn.init.normal_(part.weight, std=d**-0.5)
        with torch.no_grad():  # what stood before a token, if it is like what stands here
            self.copy_key_before.weight.copy_(self.copy_query.weight)
        self.hint = nn.Parameter(torch.zeros(3, d))
        self.hint_facts = nn.Parameter(torch.zeros(N_FACTS, d))
        self.hint_bias = nn.Parameter(torch.full((3,), -1.0))
        self.sentinel = nn.Parameter(torch.zeros(d))
        self.sentinel_bias = nn.Parameter(torch.tensor([6.0]))
        cos, sin = angles(shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def hidden(self, tokens: Tensor, layout: Layout) -> tuple[Tensor, list[Tensor]]:
        """Each token's state after the last layer, normed; and after every layer, as it is.

        Each (batch, tokens, d_model).
        """
        x = self.embed(tokens) * self.shape.d_model**0.5
        x = x + F.embedding(layout.marks, F.pad(self.marks, (0, 0, 1, 0)))
        cos, sin = (table[layout.positions].unsqueeze(1) for table in (self.cos, self.sin))
        seen, kept = layout.seen.unsqueeze(1), layout.kept.unsqueeze(-1).to(x.dtype)
        states = []
        for layer in self.layers:
            x = layer(x, cos, sin, seen, kept)
            states.append(x)
        return norm(x, self.norm), states

    def log_likelihood(self, tokens: Tensor, layout: Layout, at: Tensor, targets: Tensor) -> Tensor:
        """Logarithms of the probability of `targets` after the tokens `at`, (batch, written)."""
        h, _ = self.hidden(tokens, layout)
        return self.head(h, layout.kept[0], layout.seen, tokens, at, targets)

    def hinted(self, states: Sequence[Tensor], hints: Tensor, facts: Tensor) -> Tensor:
        """How wrong the layers' states are about passages: a sum of negative logarithms.

        After the second layer, every token of a passage and of a question is asked which fact it is
        about; after the last but one, every token of a passage whether it is about the product and
        about the fact that are asked for; after the last, whether it answers. A help in learning
        alone, for which a network without it would need many more texts.
        """
        which = self.about(states[1]) @ self.hint_facts.T
        wrong = F.cross_entropy(
            which.flatten(0, 1), facts.flatten(), ignore_index=-1, reduction="sum"
        )
        truths = torch.stack([hints & 1, hints >> 1 & 1, hints >> 2 & 1], -1).clamp(0, 1)
        same = self.about(states[-2]) @ self.hint[:2].T
        answers = self.about(states[-1]) @ self.hint[2:].T
        logits = torch.cat([same, answers], -1) + self.hint_bias
        told = F.binary_cross_entropy_with_logits(logits, truths.to(logits.dtype), reduction="none")
        return wrong + (told.sum(-1) * (hints >= 0)).sum()

    @staticmethod
    def about(state: Tensor) -> Tensor:
        """A state, normed, for `hinted`."""
        return F.rms_norm(state, (state.shape[-1],))

    def head(
        self, h: Tensor, kept: Tensor, seen: Tensor, tokens: Tensor, at: Tensor, targets: Tensor
    ) -> Tensor:
        """`log_likelihood` from the last layer's states."""
        asked = h.gather(1, at.unsqueeze(-1).expand(-1, -1, h.shape[-1]))
        logits = F.linear(asked, self.embed.weight)
        written = logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(-1)
        keys = self.copy_key(h) + before(self.copy_key_before(h)) * kept.unsqueeze(-1)
        scores = (self.copy_query(asked) @ keys.transpose(1, 2)) * self.shape.d_copy**-0.5
        visible = seen.gather(1, at.unsqueeze(-1).expand(-1, -1, seen.shape[-1]))
        scores = scores.masked_fill(~visible, -1e9)
        sentinel = (asked @ self.sentinel + self.sentinel_bias).unsqueeze(-1)
        total = torch.cat([sentinel, scores], -1).logsumexp(-1)
        same = tokens[:, None, :] == targets[:, :, None]
        copied = scores.masked_fill(~same, -1e9).logsumexp(-1)
        return torch.logaddexp(sentinel.squeeze(-1) + written, copied) - total


def norm(x: Tensor, weight: Tensor) -> Tensor:
    """RMSNorm over the last axis."""
    return F.rms_norm(x, (x.shape[-1],), weight.to(x.dtype), eps=torch.finfo(torch.float32).eps)


def before(h: Tensor) -> Tensor:
    """Each token's predecessor; zero for the first."""
    return F.pad(h, (0, 0, 1, 0))[:, :-1]


def convolved(h: Tensor, kernel: Tensor, kept: Tensor) -> Tensor:
    """`h` plus a weighted sum, channel by channel, of each token and the three before it.

    `kept` (width - 1, batch, tokens, 1) is 0 where a token before is of another turn.
    """
    total, shifted = h + kernel[0] * h, h
    for weight, own in zip(kernel[1:], kept, strict=True):
        shifted = before(shifted)
        total = total + weight * shifted * own
    return total


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions: the halves of each head are the two parts of its rotations."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def angles(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotations: each (max_tokens, head size / 2)."""
    head = shape.d_model // shape.n_heads
    frequency = shape.rope_base ** (-torch.arange(0, head, 2).float() / head)
    frequency[int(len(frequency) * shape.rope_share) :] = 0.0  # the rest looks at content alone
    angle = torch.arange(shape.max_tokens).float()[:, None] * frequency
    return angle.cos(), angle.sin()
