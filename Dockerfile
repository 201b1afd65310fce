# pointpet on a processor, with training, DICOM, radiomics, the pages and Dask.
#   docker build -t pointpet .
#   docker run --rm -v "$PWD:/work" pointpet predict demo scan.nii.gz -o out
FROM python:3.12-slim-bookworm AS build

WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm

# The CPU build of torch: without this index and pin, pip takes one with CUDA of several GB.
COPY constraints-cpu.txt /tmp/constraints-cpu.txt
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    wheel="$(find /wheels -name 'pointpet-*.whl')" \
    && pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
    -c /tmp/constraints-cpu.txt "${wheel}[train,dicom,radiomics,web,cluster]" \
    && rm /tmp/constraints-cpu.txt \
    && useradd --create-home --uid 1000 reader

USER 1000
WORKDIR /work
ENV MPLCONFIGDIR=/tmp/matplotlib
ENTRYPOINT ["pointpet"]
CMD ["--help"]
