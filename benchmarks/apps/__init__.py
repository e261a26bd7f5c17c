"""The same small service, written for every interface that is compared.

Owns:  the answers: "yay", "42", the echoed body, "slow".
Knows: one interface a file.
Never: a shortcut that a real application of that interface would not take.
"""
