"""How a frozen LLM is made personal: one module a method, shared parts below."""

from methods.core.method import Cost, Method, MethodConfig
from methods.models.report import FitReport
from tasks.common.registry import Registry

METHODS: Registry[Method] = Registry("method", Method, "methods", "bench.methods")

__all__ = ["METHODS", "Cost", "FitReport", "Method", "MethodConfig"]
