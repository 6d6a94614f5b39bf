"""How the embedded model's weights are made: texts, network, training, figures. Needs torch."""

import os

# Every library picks the widest instructions that it finds, and adds up in another order with each:
# training amplifies that to other weights. These were made with AVX2, which x86 has had since 2013.
os.environ |= {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "TORCHINDUCTOR_CPP_MARCH": "haswell",
}
