"""The HTTP service and the ``wangge`` command."""

import warnings

# FastAPI hides this note of pydantic's while it reads the routes, through `catch_warnings`, which
# threads share: beside kernels that compile at a first start it came through all the same.
warnings.filterwarnings("ignore", "The '.+' attribute with value", UserWarning)
