from trading.models.books import Book, Position, Run
from trading.models.goals import ExitGoal
from trading.models.orders import BrokerOrder, Fill, Order

__all__ = ["Book", "BrokerOrder", "ExitGoal", "Fill", "Order", "Position", "Run"]
