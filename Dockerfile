# Both plugins and Meltano with this repository's meltano.yml; see docs/container.md. Configuration comes from the environment.
FROM python:3.11-slim
WORKDIR /srv/accountsiq-to-expensein
COPY requirements.txt meltano.yml ./
COPY tap-accountsiq tap-accountsiq
COPY target-expensein target-expensein
RUN pip install --no-cache-dir 'uv>=0.9,<1'
# A run as another user cannot keep what it compiles.
ENV UV_COMPILE_BYTECODE=1
RUN uv venv .venv && uv pip install --python .venv/bin/python --constraint requirements.txt \
    'meltano>=4.4,<4.5' ./tap-accountsiq './target-expensein[postgres]'
# What a run writes belongs to a user without rights; mount a volume on output to keep reports and ledger.
RUN mkdir .meltano output && chown 10001:10001 . .meltano output
ENV HOME=/srv/accountsiq-to-expensein/.meltano
USER 10001:10001
ENTRYPOINT [".venv/bin/meltano"]
CMD ["run", "sync"]
