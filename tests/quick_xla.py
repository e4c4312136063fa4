"""What makes XLA compile quickly: code that is called a few times gains nothing by being optimised."""

XLA_FLAGS = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
