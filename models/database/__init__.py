"""Tortoise's two database clients, with transactions, time-outs and refusals as Moorings promises them."""
